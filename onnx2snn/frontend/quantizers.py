"""One form for quantizers: integers occur only between Q and DQ, and as quantized constants.

::

    Q(constant)                   ──▶   integers
    move(integers ─▶ DQ)          ──▶   moved integers ─▶ DQ
    Q ─▶ DQ, DQ                   ──▶   Q ─▶ DQ, one for all readers
    scale of shape [1]            ──▶   scale of shape []

and what ``integer_moves.py`` and ``rescale.py`` do. A *move* is an operator that moves values, such
as Transpose.
"""

from __future__ import annotations

from math import prod

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.integer_moves import clip_before, dequantize_before, same_grid
from onnx2snn.frontend.rescale import rescale_dequantizers
from onnx2snn.graphs import (
    Array,
    constant,
    consumers,
    evaluate,
    is_output,
    new_constant,
    producer,
    remove,
    rewire,
    unique_name,
)

CONSTANT_MOVES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose"})
PAIR = frozenset({"QuantizeLinear", "DequantizeLinear"})


def tidy_quantizers(canonical: CanonicalGraph) -> None:
    """Bring integers to where they belong; the values of the network stay the same.

    Raises:
        UnsupportedModelError: a pair has two grids, by channel.
    """
    graph = canonical.graph.toposort()
    for node in graph.nodes:
        if node.op in PAIR and not node.attrs.get("block_size"):
            _write_plainly(graph, node)
    for node in list(graph.nodes):
        if node.op in CONSTANT_MOVES:
            _move_constant(graph, node)
        elif node.op in {"QuantizeLinear", "Clip"} and all(_is_fixed(t) for t in node.inputs):
            _fold(graph, node)
    for node in list(graph.nodes):
        if node.op == "Clip":
            clip_before(graph, node)
    for node in reversed(list(graph.nodes)):  # of several moves in a row, the last one first
        dequantize_before(graph, node)
    for node in list(graph.nodes):
        if node.op == "QuantizeLinear":
            _merge_dequantizers(graph, node)
            rescale_dequantizers(canonical, node)
    graph.cleanup().toposort()


def _write_plainly(graph: gs.Graph, node: gs.Node) -> None:
    """The scale and zero point of a whole tensor as numbers, axes of weights from the front."""
    for i, tensor in enumerate(node.inputs[1:], start=1):
        value = constant(tensor)
        if value is not None and value.ndim and value.size == 1:
            node.inputs[i] = new_constant(graph, tensor.name, value.reshape(()))
    weights = constant(node.inputs[0])
    if weights is not None and int(node.attrs.get("axis", 1)) < 0:
        node.attrs["axis"] += weights.ndim


def _is_fixed(tensor: gs.Tensor) -> bool:
    return isinstance(tensor, gs.Constant) or bool(tensor.is_empty())


def _fold(graph: gs.Graph, node: gs.Node) -> None:
    output = node.outputs[0]
    value = evaluate(node.op, [constant(t) for t in node.inputs], node.attrs, graph.opset)
    rewire(graph, output, new_constant(graph, f"{output.name}_value", value))
    remove(graph, node)


def _move_constant(graph: gs.Graph, node: gs.Node) -> None:
    """Apply a move to integers, themselves or in front of their DequantizeLinear."""
    if not all(_is_fixed(t) for t in node.inputs[1:]):
        return
    if isinstance(node.inputs[0], gs.Constant):
        _fold(graph, node)
        return
    reader = producer(node.inputs[0])
    if reader is None or reader.op != "DequantizeLinear" or "block_size" in reader.attrs:
        return
    integers = constant(reader.inputs[0])
    if integers is None:
        return
    more = [constant(t) for t in node.inputs[1:]]
    moved = evaluate(node.op, [integers, *more], node.attrs, graph.opset)
    attrs = _moved_attributes(node, reader, integers, moved)
    if attrs is None:
        return
    name = unique_name(graph, f"{reader.name}_{node.op.lower()}")
    inputs = [new_constant(graph, f"{name}_integers", moved), *reader.inputs[1:]]
    result = node.outputs[0]
    remove(graph, node)
    graph.nodes.append(gs.Node(reader.op, name, attrs, inputs=inputs, outputs=[result]))


def _moved_attributes(
    node: gs.Node, reader: gs.Node, before: Array, after: Array
) -> dict[str, int] | None:
    """With the axis of the scale as it lies behind the move; None if that is torn apart."""
    if prod(reader.inputs[1].shape) == 1:
        return {}
    axis = int(reader.attrs.get("axis", 1)) % before.ndim
    if node.op == "Transpose":
        perm = list(node.attrs.get("perm", range(before.ndim)[::-1]))
        return {"axis": perm.index(axis)}
    for i, length in enumerate(after.shape):
        if length == before.shape[axis] and prod(after.shape[:i]) == prod(before.shape[:axis]):
            return {"axis": i}
    return None


def _merge_dequantizers(graph: gs.Graph, quantizer: gs.Node) -> None:
    kept: list[gs.Node] = []
    for reader in consumers(quantizer.outputs[0]):
        if reader.op != "DequantizeLinear":
            continue
        twin = next((k for k in kept if same_grid(k, reader)), None)
        if twin is None or is_output(graph, reader.outputs[0]):
            kept.append(reader)
        else:
            rewire(graph, reader.outputs[0], twin.outputs[0])
            remove(graph, reader)
