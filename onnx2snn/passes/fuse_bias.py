"""A constant added behind a linear layer becomes its bias.

::

    Add(Conv(x, W[, b]), c[C, 1, 1])   ──▶   Conv(x, W, b + c)
    Add(Gemm(x, W[, b]), c[M])         ──▶   Gemm(x, W, b + c)
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import (
    Array,
    constant,
    input_at,
    new_constant,
    only_consumer,
    rank,
    remove,
    rewire,
    set_input,
)

LAYERS = {"Conv", "ConvTranspose", "Gemm"}


def fuse_bias(canonical: CanonicalGraph) -> None:
    """Fuse where the constant has one value for each output channel."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op not in LAYERS:
            continue
        add = only_consumer(graph, node.outputs[0])
        if add is None or add.op != "Add":
            continue
        added = _per_channel(add, node)
        bias = constant(input_at(node, 2))
        if added is None or (bias is None and input_at(node, 2) is not None):
            continue
        total = added if bias is None else bias + added
        set_input(node, 2, new_constant(graph, f"{node.name}_bias", total))
        rewire(graph, add.outputs[0], node.outputs[0])
        remove(graph, add)


def out_channels(node: gs.Node) -> int:
    """The number of output channels of a Conv, ConvTranspose or canonical Gemm."""
    shape = node.inputs[1].shape
    if node.op == "Conv":
        return int(shape[0])
    if node.op == "ConvTranspose":
        return int(shape[1]) * int(node.attrs.get("group", 1))
    return int(shape[1])


def _per_channel(add: gs.Node, layer: gs.Node) -> Array | None:
    """The constant operand as a vector over the layer's output channels, if it is one."""
    values = [constant(t) for t in add.inputs]
    value = values[0] if values[0] is not None else values[1]
    ndim = rank(layer.outputs[0])
    if value is None or ndim is None or value.ndim > ndim:
        return None
    channels = out_channels(layer)
    full = value.reshape([1] * (ndim - value.ndim) + list(value.shape))
    if full.shape[1] not in {1, channels} or any(
        d != 1 for i, d in enumerate(full.shape) if i != 1
    ):
        return None
    return np.array(np.broadcast_to(full.reshape(-1), (channels,)), dtype=np.float32)
