"""Reading the source model and refusing what cannot be a trained network."""

from __future__ import annotations

import os
from collections import Counter

import ml_dtypes
import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import numpy_helper

from onnx2snn.errors import ModelFileError
from onnx2snn_runtime.modelfile import read_model
from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.time_axis import TIMESTEPS

#: Files are written for at least this opset; older sources are lifted to it.
OLDEST_OPSET = 7
NEWEST_OPSET = 26
#: NumPy does not count it among the floats.
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def read_source(
    source: str | os.PathLike[str] | onnx.ModelProto | gs.Graph,
) -> tuple[onnx.ModelProto, str | None]:
    """The model of a path, ModelProto or GraphSurgeon graph, and the path if it was one.

    Raises:
        ModelFileError: unreadable, invalid, already spiking, or with NaN in its weights.
    """
    file = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    if isinstance(source, gs.Graph):
        model = gs.export_onnx(source, do_type_check=False)
    elif isinstance(source, onnx.ModelProto):
        model = source
    else:
        model = read_model(source)
    _check(model, file)
    return model, file


def operator_counts(model: onnx.ModelProto) -> dict[str, int]:
    """How often each operator occurs, most frequent first; foreign domains as a prefix."""
    names = (f"{n.domain}:{n.op_type}" if n.domain else n.op_type for n in model.graph.node)
    return dict(Counter(names).most_common())


def _check(model: onnx.ModelProto, file: str | None) -> None:
    domains = {o.domain: o.version for o in model.opset_import}
    # Not by its imports: onnxruntime writes every domain that a process knows into what it saves.
    if any(node.domain == DOMAIN for node in model.graph.node):
        raise ModelFileError(
            "is a spiking network already", file=file, remedy="run it with 'onnx2snn run'"
        )
    opset = domains.get("", domains.get("ai.onnx", 0))
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ModelFileError(
            f"has ONNX opset {opset or 'none'}, known are {OLDEST_OPSET} to {NEWEST_OPSET}",
            file=file,
            remedy="export it for another opset, or lift it with onnx.version_converter",
        )
    if not model.graph.node:
        raise ModelFileError("has a graph without nodes", file=file)
    if not model.graph.input or not model.graph.output:
        raise ModelFileError("has a graph without inputs or outputs", file=file)
    _check_structure(model, file)
    _check_types(model, file)
    _check_names(model, file)
    _check_values(model, file)
    _check_attributes(model, file)


def _check_structure(model: onnx.ModelProto, file: str | None) -> None:
    try:
        onnx.checker.check_model(_with_all_imports(model))
    except onnx.checker.ValidationError as error:
        if "No opset import for domain" in str(error) or "unregistered" in str(error).lower():
            return  # foreign operators are refused later, by node and with a remedy
        raise ModelFileError(
            f"is not valid ONNX: {str(error).strip().splitlines()[0]}", file=file
        ) from error


def _with_all_imports(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, with imports that it forgot: the checker would look at nothing else then."""
    imported = {o.domain for o in model.opset_import}
    forgotten = {n.domain for n in model.graph.node} - imported - {"", "ai.onnx"}
    if not forgotten:
        return model
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    whole.opset_import.extend(onnx.helper.make_opsetid(d, 1) for d in sorted(forgotten))
    return whole


def _check_types(model: onnx.ModelProto, file: str | None) -> None:
    """The checker takes any number for an element type."""
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type.elem_type
        if kind not in onnx.TensorProto.DataType.values():
            raise ModelFileError(
                f"tensor '{value.name}' is of unknown type {kind}",
                file=file,
                remedy="export the network again",
            )


def _check_names(model: onnx.ModelProto, file: str | None) -> None:
    graph = model.graph
    names = {i.name for i in (*graph.input, *graph.initializer)}
    if TIMESTEPS in names.union(*(n.output for n in graph.node)):
        raise ModelFileError(
            f"has a tensor named '{TIMESTEPS}', which is the number of time steps in spiking files",
            file=file,
            remedy="rename it",
        )
    for name, count in Counter(o.name for o in graph.output).items():
        if count > 1:
            raise ModelFileError(
                f"gives its output '{name}' {count} times", file=file, remedy="name it once"
            )


def _check_values(model: onnx.ModelProto, file: str | None) -> None:
    for name, tensor in _constants(model):
        try:
            values = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(
                f"tensor '{name}' is corrupt, or of an unknown type ({error})",
                file=file,
                remedy="export the network again",
            ) from error
        if (values.dtype.kind == "f" or values.dtype == BFLOAT16) and not np.isfinite(values).all():
            readers = [n.name or n.op_type for n in model.graph.node if name in n.input]
            raise ModelFileError(
                f"weights '{name}' hold NaN or infinity",
                file=file,
                node=f"'{readers[0]}'" if readers else None,
                remedy="export the network again from a sound checkpoint",
            )


def _check_attributes(model: onnx.ModelProto, file: str | None) -> None:
    for node in model.graph.node:
        for attribute in node.attribute:
            numbers = np.array([attribute.f, *attribute.floats])
            bound = node.op_type == "Clip" and not np.isnan(numbers).any()
            if not np.isfinite(numbers).all() and not bound:
                raise ModelFileError(
                    f"attribute '{attribute.name}' holds NaN or infinity",
                    file=file,
                    node=f"'{node.name or node.op_type}'",
                    remedy="export the network again from a sound checkpoint",
                )


def _constants(model: onnx.ModelProto) -> list[tuple[str, onnx.TensorProto]]:
    """The initializers and the tensors of Constant nodes, by the name that readers use."""
    found = [(t.name, t) for t in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Constant":
            found += [(node.output[0], a.t) for a in node.attribute if a.HasField("t")]
    return found
