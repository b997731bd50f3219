"""Reading ONNX files safely: every defect becomes one line that names the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message

from onnx2snn_runtime.errors import ModelFileError

#: Protobuf cannot hold more in one message.
LARGEST_MESSAGE = 2**31 - 1


def read_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Parse an ONNX file and load its external data, from the file's own folder only.

    Raises:
        ModelFileError: missing, not a regular file, too large, not a protobuf, no graph in it,
            or external data missing or outside of the folder.
    """
    file = Path(path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "folder" if stat.S_ISDIR(status.st_mode) else "device or pipe"
            raise ModelFileError(f"is a {kind}, not an ONNX file", file=file)
        if status.st_size > LARGEST_MESSAGE:
            raise ModelFileError(
                "is larger than 2 GiB", file=file, remedy="save it with external data"
            )
        data = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(
            f"cannot be read ({reason})", file=file, remedy="check the path"
        ) from error
    model = parse_model(data, file)
    _load_external_data(model, file)
    return model


def parse_model(data: bytes, file: str | os.PathLike[str] | None = None) -> onnx.ModelProto:
    """Parse serialized bytes into a model that has a graph.

    Raises:
        ModelFileError: the bytes are empty or no ONNX model.
    """
    remedy = "pass a complete .onnx file"
    if not data:
        raise ModelFileError("is empty", file=file, remedy=remedy)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelFileError(
            "is not an ONNX file, or it is truncated", file=file, remedy=remedy
        ) from error
    if not model.HasField("graph") or not model.opset_import:
        raise ModelFileError("holds no ONNX graph", file=file, remedy=remedy)
    if not _has_sound_text(model):
        raise ModelFileError(
            "holds text that is not UTF-8", file=file, remedy="export the network again"
        )
    return model


def _has_sound_text(message: Message) -> bool:
    """Whether all text is UTF-8. Protobuf does not look; damaged text comes as bytes or raises."""
    if isinstance(message, onnx.TensorProto):  # whose numbers are many
        return _is_text(message, "name") and _is_text(message, "doc_string")
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING and not _is_text(message, field.name):
            return False
    nested = [value for field, value in message.ListFields() if field.message_type is not None]
    return all(
        _has_sound_text(part)
        for value in nested
        for part in ([value] if isinstance(value, Message) else value)
    )


def _is_text(message: Message, name: str) -> bool:
    try:
        value = getattr(message, name)
        parts = [value] if isinstance(value, (str, bytes)) else list(value)
    except UnicodeError:
        return False
    return all(isinstance(part, str) for part in parts)


def refuse_external_data(model: onnx.ModelProto) -> None:
    """Check that a model which comes without a folder needs no other file.

    Raises:
        ModelFileError: it does.
    """
    for tensor in _external_tensors(model):
        raise ModelFileError(
            f"tensor '{tensor.name}' is external data, and a model in memory has no folder",
            remedy="pass the path of the file",
        )


def _external_tensors(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]


def _load_external_data(model: onnx.ModelProto, file: Path) -> None:
    folder = file.resolve().parent
    external = _external_tensors(model)
    for tensor in external:
        location = {e.key: e.value for e in tensor.external_data}.get("location", "")
        named = bool(location) and "\0" not in location
        target = (folder / location).resolve() if named else folder.parent
        if not target.is_relative_to(folder):
            raise ModelFileError(
                f"tensor '{tensor.name}' points outside of the model's folder ({location!r})",
                file=file,
                remedy="external data must lie beside the model",
            )
        if not target.is_file():
            raise ModelFileError(
                f"external data file '{location}' of tensor '{tensor.name}' is missing",
                file=file,
                remedy="put it beside the model",
            )
    try:
        onnx.load_external_data_for_model(model, str(folder))
        for tensor in external:
            onnx.numpy_helper.to_array(tensor)  # fails where the data have another size
    except Exception as error:  # onnx raises several unrelated kinds here
        raise ModelFileError(f"external data cannot be loaded: {error}", file=file) from error
