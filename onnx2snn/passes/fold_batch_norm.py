"""Batch norm becomes part of the layers around it, and its statistics are remembered.

With scale s = γ/√(σ² + ε) and shift t = β − μ·s, for each channel::

    BN(Conv(x, W, b))            ──▶   Conv(x, s·W, s·b + t)           s over output channels
    Conv(BN(x), W, b)            ──▶   Conv(x, W·s, b + Σ W·t)         s over input channels
    Conv(pad(BN(x)), W, b)       ──▶   Conv(pad(x), W·s, b) + Conv(pad(t), W)   a constant map
    BN(x)                        ──▶   x·s + t                         where neither applies

ConvTranspose and Gemm likewise. In front of an activation, batch norm says what the activation
will see: mean β and standard deviation |γ|. That is kept in ``moments``, for thresholds without
data.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph, Moments
from onnx2snn.graphs import (
    Array,
    constant,
    evaluate,
    input_at,
    insert_after,
    new_constant,
    only_consumer,
    producer,
    rank,
    remove,
    rewire,
    sample_shape,
    set_input,
    unique_name,
)
from onnx2snn.passes.fuse_bias import LAYERS, out_channels


def fold_batch_norm(canonical: CanonicalGraph) -> None:
    """Fold every batch norm with constant parameters."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op != "BatchNormalization" or node.attrs.get("training_mode", 0):
            continue
        affine = _affine(node)
        if affine is None:
            continue
        scale, shift, moments = affine
        output = _fold_backward(graph, node, scale, shift)
        if output is None and not _fold_forward(graph, node, scale, shift):
            output = _standalone(graph, node, scale, shift)
        if output is not None:  # folded forward, there is no tensor any more to speak of
            canonical.moments[output.name] = moments


def _affine(node: gs.Node) -> tuple[Array, Array, Moments] | None:
    parameters = [constant(input_at(node, i)) for i in range(1, 5)]
    if any(p is None for p in parameters):
        return None
    gamma, beta, mean, var = (np.asarray(p, dtype=np.float64) for p in parameters)
    scale = gamma / np.sqrt(var + float(node.attrs.get("epsilon", 1e-5)))
    shift = beta - mean * scale
    moments = Moments(beta.astype(np.float32), np.abs(gamma).astype(np.float32))
    return scale, shift, moments


def _fold_backward(graph: gs.Graph, node: gs.Node, scale: Array, shift: Array) -> gs.Tensor | None:
    """Into the layer in front, whose output only the batch norm reads."""
    layer = producer(node.inputs[0])
    if layer is None or layer.op not in LAYERS:
        return None
    output: gs.Tensor = layer.outputs[0]
    reader = only_consumer(graph, output)
    if reader is None or reader is not node:
        return None
    weights = constant(input_at(layer, 1))
    bias = constant(input_at(layer, 2))
    if weights is None or (bias is None and input_at(layer, 2) is not None):
        return None
    old = np.zeros(out_channels(layer)) if bias is None else bias
    scaled = _scale_outputs(layer, weights.astype(np.float64), scale)
    _set_parameters(graph, layer, scaled, old * scale + shift)
    rewire(graph, node.outputs[0], output)
    remove(graph, node)
    return output


def _fold_forward(graph: gs.Graph, node: gs.Node, scale: Array, shift: Array) -> bool:
    """Into the layer behind, if nothing else reads the batch norm."""
    layer = only_consumer(graph, node.outputs[0])
    if layer is None or layer.op not in {"Conv", "Gemm"} or layer.inputs[0] is not node.outputs[0]:
        return False
    weights = constant(input_at(layer, 1))
    bias = constant(input_at(layer, 2))
    if weights is None or (bias is None and input_at(layer, 2) is not None):
        return False
    weights = weights.astype(np.float64)
    old = np.zeros(out_channels(layer)) if bias is None else bias.astype(np.float64)
    if layer.op == "Gemm":
        _set_parameters(graph, layer, weights * scale[:, None], old + shift @ weights)
    elif not any(layer.attrs.get("pads", [1])) and not layer.attrs.get("auto_pad"):
        per_input = _input_channels(layer, shift)
        added = (weights * per_input).sum(axis=tuple(range(1, weights.ndim)))
        _set_parameters(graph, layer, weights * _input_channels(layer, scale), old + added)
    elif not _fold_into_padded(graph, layer, weights, old, scale, shift):
        return False
    source = node.inputs[0]
    layer.inputs[0] = source
    remove(graph, node)
    return True


def _fold_into_padded(
    graph: gs.Graph, layer: gs.Node, weights: Array, bias: Array, scale: Array, shift: Array
) -> bool:
    """Padding is zero behind the shift, so the shift's share differs at the border: a map."""
    size = sample_shape(layer.inputs[0])
    if size is None or layer.attrs.get("auto_pad"):
        return False
    image = np.broadcast_to(shift.reshape(-1, *([1] * (len(size) - 1))), size)[None]
    border = evaluate(
        "Conv", [image.astype(np.float32), weights.astype(np.float32)], layer.attrs, graph.opset
    )
    _set_parameters(graph, layer, weights * _input_channels(layer, scale), bias)
    output = layer.outputs[0]
    inner = gs.Variable(unique_name(graph, f"{output.name}_unshifted"), np.float32, output.shape)
    layer.outputs = [inner]
    name = unique_name(graph, f"{layer.name}_shift")
    add = gs.Node(
        "Add", name, inputs=[inner, new_constant(graph, f"{name}_map", border)], outputs=[output]
    )
    insert_after(graph, layer, [add])
    return True


def _standalone(graph: gs.Graph, node: gs.Node, scale: Array, shift: Array) -> gs.Tensor:
    """As a product and a sum for each channel."""
    output = node.outputs[0]
    shape = [-1] + [1] * ((rank(node.inputs[0]) or 4) - 2)
    scaled = gs.Variable(unique_name(graph, f"{node.name}_scaled"), np.float32, output.shape)
    factor = new_constant(graph, f"{node.name}_scale", scale.astype(np.float32).reshape(shape))
    addend = new_constant(graph, f"{node.name}_shift", shift.astype(np.float32).reshape(shape))
    add_name = unique_name(graph, f"{node.name}_add")
    node.op, node.attrs = "Mul", {}
    node.inputs, node.outputs = [node.inputs[0], factor], [scaled]
    add = gs.Node("Add", add_name, inputs=[scaled, addend], outputs=[output])
    insert_after(graph, node, [add])
    return output


def _scale_outputs(layer: gs.Node, weights: Array, scale: Array) -> Array:
    if layer.op == "Conv":
        return weights * scale.reshape(-1, *([1] * (weights.ndim - 1)))
    if layer.op == "Gemm":
        return weights * scale
    # ConvTranspose: [C_in, C_out / group, ...]; output channel = group·(C_out/group) + column.
    groups = int(layer.attrs.get("group", 1))
    columns = scale.reshape(groups, 1, -1)
    grouped = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], -1)
    return (grouped * columns[..., None]).reshape(weights.shape)


def _input_channels(layer: gs.Node, values: Array) -> Array:
    """Per-input-channel values, shaped to multiply Conv weights [C_out, C_in / group, ...]."""
    weights = layer.inputs[1]
    groups = int(layer.attrs.get("group", 1))
    rows = np.repeat(values.reshape(groups, -1), int(weights.shape[0]) // groups, axis=0)
    return rows.reshape(*rows.shape, *([1] * (len(weights.shape) - 2)))


def _set_parameters(graph: gs.Graph, layer: gs.Node, weights: Array, bias: Array) -> None:
    layer.inputs[1] = new_constant(graph, f"{layer.name}_weight", weights.astype(np.float32))
    set_input(layer, 2, new_constant(graph, f"{layer.name}_bias", bias.astype(np.float32)))
