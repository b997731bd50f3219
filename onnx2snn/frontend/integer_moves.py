"""Operators that move integers about move the real values instead.

::

    x ─▶ Q ─▶ Clip ─▶ DQ          ──▶   Clip(x) ─▶ Q ─▶ DQ
    Q ─▶ move ─▶ DQ               ──▶   Q ─▶ DQ ─▶ move

where *move* is an operator that moves or picks values, such as Transpose or MaxPool. Both are
exact: a quantizer is monotone, and so is what its integers stand for.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import (
    Array,
    constant,
    consumers,
    evaluate,
    input_at,
    is_output,
    new_constant,
    only_consumer,
    producer,
    remove,
    rewire,
    set_input,
    unique_name,
)

#: They move or pick values of their first input, or of all inputs (Concat), or pad them.
MOVES = frozenset({
    "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Gather",
    "Split", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "MaxPool", "GlobalMaxPool",
    "Concat", "Pad",
})  # fmt: skip


def clip_before(graph: gs.Graph, clip: gs.Node) -> None:
    """Let a Clip between a quantizer and its DequantizeLinear cut what the quantizer gets."""
    quantizer = producer(clip.inputs[0])
    reader = only_consumer(graph, clip.outputs[0])
    if quantizer is None or reader is None:
        return
    if quantizer.op != "QuantizeLinear" or reader.op != "DequantizeLinear":
        return
    if not _reads_alone(graph, clip, quantizer):
        return
    bounds = [input_at(clip, i) for i in (1, 2)]
    values = [constant(t) for t in bounds]
    if any(v is None and t is not None for v, t in zip(values, bounds, strict=True)):
        return
    reals = [
        gs.Variable.empty() if v is None else _real(graph, f"{clip.name}_{i}", reader, v)
        for i, v in enumerate(values)
    ]
    source = quantizer.inputs[0]
    cut = gs.Variable(unique_name(graph, f"{clip.name}_cut"), np.float32, source.shape)
    clip.inputs, clip.outputs = [source, *reals], [cut]
    reader.inputs[0] = quantizer.outputs[0]
    quantizer.inputs[0] = cut


def _reads_alone(graph: gs.Graph, reader: gs.Node, maker: gs.Node) -> bool:
    return only_consumer(graph, maker.outputs[0]) is reader


def dequantize_before(graph: gs.Graph, node: gs.Node) -> None:
    """Put the DequantizeLinear of all readers of a move in front of it."""
    outputs = [t for t in node.outputs if consumers(t)]
    readers = [r for t in outputs for r in consumers(t)]
    if (
        node.op not in MOVES
        or not readers
        or any(r.op != "DequantizeLinear" or not same_grid(r, readers[0]) for r in readers)
        or any(is_output(graph, t) for t in outputs)
        or not _is_uniform(readers[0])
    ):
        return
    for i in range(len(node.inputs) if node.op == "Concat" else 1):
        node.inputs[i] = _dequantized(graph, node, node.inputs[i], readers[0])
    if node.op == "Pad" and node.attrs.get("mode", "constant") == "constant":
        zero = constant(input_at(readers[0], 2))
        # Integers are padded with the integer 0, which need not stand for the number 0.
        padding = constant(input_at(node, 2))
        padding = (
            np.zeros((), np.uint8 if zero is None else zero.dtype) if padding is None else padding
        )
        set_input(node, 2, _real(graph, f"{node.name}_padding", readers[0], padding))
    # Parts that nobody reads are real values too; the places of a MaxPool's maxima are not.
    for output in node.outputs if node.op == "Split" else node.outputs[:1]:
        output.dtype = np.dtype(np.float32)
        for reader in consumers(output):
            rewire(graph, reader.outputs[0], output)
            remove(graph, reader)


def same_grid(left: gs.Node, right: gs.Node) -> bool:
    """Whether two quantizers or dequantizers have the same scale, zero point and axis."""
    axes = [(n.attrs.get("axis", 1), n.attrs.get("block_size", 0)) for n in (left, right)]
    scales = [constant(node.inputs[1]) for node in (left, right)]
    zeros = [zero_of(node) for node in (left, right)]
    if scales[0] is None or zeros[0] is None:
        return all(a is b for a, b in zip(left.inputs[1:], right.inputs[1:], strict=False))
    return (
        (scales[0].size == 1 or axes[0] == axes[1])
        and _equal(scales[0], scales[1])
        and _equal(zeros[0], zeros[1])
    )


def _equal(left: Array, right: Array | None) -> bool:
    return right is not None and np.array_equal(left, right)


def zero_of(node: gs.Node) -> Array | None:
    """The zero point of a quantizer or dequantizer, zeros without one; None if it is computed."""
    given, scale = input_at(node, 2), constant(node.inputs[1])
    if given is None and scale is not None:
        return np.zeros(scale.shape, np.uint8)
    return constant(given)


def _is_uniform(reader: gs.Node) -> bool:
    scale = constant(reader.inputs[1])
    return scale is not None and scale.size == 1


def _dequantized(graph: gs.Graph, node: gs.Node, source: gs.Tensor, like: gs.Node) -> gs.Tensor:
    name = unique_name(graph, f"{node.name}_dequantize")
    real = gs.Variable(f"{name}_real", np.float32, source.shape)
    inputs = [source, *like.inputs[1:]]
    graph.nodes.append(gs.Node(like.op, name, dict(like.attrs), inputs=inputs, outputs=[real]))
    return real


def _real(graph: gs.Graph, name: str, reader: gs.Node, integers: Array) -> gs.Constant:
    """The value that a DequantizeLinear gives integers."""
    parameters = [constant(t) for t in reader.inputs[1:]]
    value = evaluate(reader.op, [integers, *parameters], {}, graph.opset)
    return new_constant(graph, f"{name}_real", value)
