"""float16, bfloat16 and double become float32, the type in which neurons compute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from onnx2snn.plan import Diagnostic

OTHERS: dict[int, str] = {
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.DOUBLE: "double",
}
#: Attributes that name a type.
TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "precision"})


def to_single_precision(model: onnx.ModelProto) -> list[Diagnostic]:
    """Change every type and constant in place, and say what was changed."""
    seen: set[int] = set()
    ends = [v.name for v in (*model.graph.input, *model.graph.output) if _elem_type(v) in OTHERS]
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            if _elem_type(value) in OTHERS:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        for tensor in graph.initializer:
            seen |= _to_single(tensor)
        for node in graph.node:
            for attribute in node.attribute:
                seen |= _attribute_to_single(attribute)
    if not seen and not ends:
        return []
    kinds = " and ".join(sorted(OTHERS[t] for t in seen)) or "another precision"
    what = f"{kinds} in the source, computed in float32"
    if ends:
        what += f"; float32 are now the inputs and outputs {', '.join(ends)}"
    return [Diagnostic("SINGLE_PRECISION", "info", "", what, why="neurons compute in float32")]


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, and the bodies of its control flow."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            bodies = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
            for body in bodies:
                yield from _graphs(body)


def _elem_type(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)


def _attribute_to_single(attribute: onnx.AttributeProto) -> set[int]:
    if attribute.name in TYPE_ATTRIBUTES and attribute.i in OTHERS:
        seen = {attribute.i}
        attribute.i = TensorProto.FLOAT
        return seen
    tensors = [attribute.t] if attribute.HasField("t") else list(attribute.tensors)
    return set().union(*(_to_single(t) for t in tensors))


def _to_single(tensor: onnx.TensorProto) -> set[int]:
    kind = tensor.data_type
    if kind not in OTHERS:
        return set()
    # Without an overflow to infinity: the largest double is a usual bound of Clip.
    most = np.finfo(np.float32).max
    values = np.clip(numpy_helper.to_array(tensor).astype(np.float64), -most, most)
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return {kind}
