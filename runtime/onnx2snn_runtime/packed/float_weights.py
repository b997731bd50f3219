"""Integer weights of convolutions as float32 constants.

Onnxruntime keeps such weights as they are, makes floats of them in every run, and leaves its own
layout for convolutions to those whose weights are constants.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn_runtime.packed.graph import Array, Graph, attributes, input_at
from onnx2snn_runtime.packed.rewrite import replace_nodes


def with_float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with constants where convolutions read a DequantizeLinear of constants.

    They are the floats that it would compute.

    Args:
        model: a spiking model, as it would be executed.
    """
    graph, nodes, constants = Graph(model), [], []
    for node in graph.nodes:
        weights = _weights(graph, node)
        if weights is None:
            nodes.append(node)
        else:
            constants.append(numpy_helper.from_array(weights, node.output[0]))
    if not constants:
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    replace_nodes(changed, nodes, constants)
    return changed


def _weights(graph: Graph, node: onnx.NodeProto) -> Array | None:
    """What a DequantizeLinear gives, if it is constant and convolutions alone read it."""
    if node.op_type != "DequantizeLinear" or node.domain or node.output[0] in graph.outputs:
        return None
    readers = graph.readers[node.output[0]]
    if not all(r.op_type == "Conv" and not r.domain for r in readers):
        return None
    integers, scale = (graph.constant(name) for name in node.input[:2])
    given = attributes(node)
    if integers is None or scale is None or scale.dtype != np.float32 or given.get("block_size"):
        return None
    zero_point = np.zeros((), np.int32)
    if input_at(node, 2):
        found = graph.constant(node.input[2])
        if found is None:
            return None
        zero_point = found.astype(np.int32)
    along = [1] * integers.ndim
    if scale.size > 1:
        along[given.get("axis", 1)] = -1
    centred = integers.astype(np.int32) - _spread(zero_point, along)
    product: Array = centred.astype(np.float32) * _spread(scale, along)
    return product


def _spread(values: Array, along: list[int]) -> Array:
    """Constants of channels along one axis; one constant as it is."""
    return values.reshape(along) if values.size > 1 else values.reshape(())
