"""A spiking file: opened, known to this runtime, and for which T it was made."""

from __future__ import annotations

import os
from typing import TypeAlias

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn_runtime.errors import ModelFileError
from onnx2snn_runtime.modelfile import parse_model, read_model, refuse_external_data
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS
from onnx2snn_runtime.time_axis import TIMESTEPS, spiking_nodes

Source: TypeAlias = str | os.PathLike[str] | bytes | onnx.ModelProto


def open_spiking(source: Source) -> tuple[onnx.ModelProto, str | None]:
    """The spiking model of a path, serialized bytes or ModelProto; and its file, if it has one.

    Raises:
        ModelFileError: it cannot be read, is no spiking file, or one of a later runtime.
    """
    file = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    if isinstance(source, onnx.ModelProto):
        model = source
    elif isinstance(source, bytes):
        model = parse_model(source)
    else:
        model = read_model(source)
    if file is None:
        refuse_external_data(model)
    _check_versions(model, file)
    for node, spec in spiking_nodes(model):
        if (len(node.input), len(node.output)) != (len(spec.inputs), len(spec.outputs)):
            raise ModelFileError(
                f"{node.op_type} has {len(node.input)} inputs and {len(node.output)} outputs, "
                f"not {len(spec.inputs)} and {len(spec.outputs)}",
                file=file,
                node=f"'{node.name}'",
                remedy="convert again",
            )
    file_timesteps(model, file)
    return model, file


def _check_versions(model: onnx.ModelProto, file: str | None) -> None:
    versions = {o.domain: o.version for o in model.opset_import}
    if DOMAIN not in versions:
        raise ModelFileError(
            "is not a spiking ONNX file", file=file, remedy="make one with 'onnx2snn convert'"
        )
    unknown = {
        n.op_type for n in model.graph.node if n.domain == DOMAIN and OPS.find(n.op_type) is None
    }
    if unknown or versions[DOMAIN] > DOMAIN_VERSION:
        what = f"op {', '.join(sorted(unknown))}" if unknown else f"version {versions[DOMAIN]}"
        raise ModelFileError(
            f"uses {what} of the spiking op set, which this runtime does not know",
            file=file,
            remedy="install a newer onnx2snn",
        )


def file_timesteps(model: onnx.ModelProto, file: str | None = None) -> int:
    """The T for which a file was made.

    Raises:
        ModelFileError: it does not say, or says no positive whole number.
    """
    for tensor in model.graph.initializer:
        if tensor.name == TIMESTEPS:
            try:
                value = numpy_helper.to_array(tensor)
            except ValueError:  # less data than its shape says
                value = np.zeros(())
            if value.dtype != np.int64 or value.shape or value < 1:
                raise ModelFileError(
                    f"initializer '{TIMESTEPS}' is no positive int64 scalar", file=file
                )
            return int(value)
    raise ModelFileError(f"has no initializer '{TIMESTEPS}'", file=file)


def is_fixed(model: onnx.ModelProto) -> bool:
    """Whether constants of the file were made for its T, so that no other T makes sense."""
    return TIMESTEPS not in {i.name for i in model.graph.input}
