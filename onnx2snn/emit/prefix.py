"""Where spikes can enter: in front of the first layer, behind what only scales or moves values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.graphs import (
    Array,
    constant,
    consumers,
    data_inputs,
    evaluate,
    label,
    rank,
    sample_shape,
)
from onnx2snn.linear import LINEAR
from onnx2snn.sites import Region
from onnx2snn.sites.regions import time_objection

#: Values stay what they are, but for rounding.
SAME = frozenset({"Cast", "Identity", "QuantizeLinear", "DequantizeLinear"})
#: With a constant operand they act on every value alone.
SCALING = frozenset({"Add", "Sub", "Mul", "Div", "Neg"})
#: Values change their places only.
MOVING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose"})


@dataclass(frozen=True)
class Range:
    """What values lie between: two arrays of one shape that broadcast to one sample; low < high."""

    low: Array
    high: Array


@dataclass(frozen=True)
class Place:
    """A tensor that is to be encoded, and the range of its values."""

    tensor: gs.Variable
    range: Range


def find_places(emission: Emission, input_range: tuple[float, float]) -> list[Place]:
    """Where encoders belong. The layers behind them are in time from now on.

    Raises:
        UnsupportedModelError: spikes cannot pass a node in front of the first neurons.
    """
    graph = emission.graph
    ends: dict[int, tuple[Array, Array]] = {}
    for tensor in graph.inputs:
        shape = [1] * (rank(tensor) or 1)
        low, high = (np.full(shape, v, dtype=np.float32) for v in input_range)
        ends[id(tensor)] = low, high
    for node in leading_to_neurons(emission):
        known = [ends.get(id(node.inputs[i])) for i in data_inputs(node)]
        carried = _carried(node, known[0], graph.opset) if len(known) == 1 and known[0] else None
        if carried is not None:
            ends[id(node.outputs[0])] = carried
            continue
        objection = time_objection(graph, node)
        if objection is not None or node.op in SAME:
            raise UnsupportedModelError(
                f"stands between the input and the first neurons, and spikes cannot pass it "
                f"({objection or 'it is no operator in time'})",
                file=None,
                node=label(node),
                remedy="convert with --encoding direct",
            )
        emission.regions[node.name] = Region.TIME
    return [
        Place(tensor, _range(*ends[id(tensor)]))
        for tensor in graph.tensors().values()
        if id(tensor) in ends
        and any(emission.regions[n.name] is not Region.ANALOG for n in consumers(tensor))
    ]


def leading_to_neurons(emission: Emission) -> list[gs.Node]:
    """The analog nodes on which neurons depend, and which depend on none; in topological order."""
    graph, regions = emission.graph, emission.regions
    spiking: set[int] = set()
    before: set[str] = set()
    for node in graph.nodes:
        if regions[node.name] is not Region.ANALOG or any(id(t) in spiking for t in node.inputs):
            spiking.update(id(t) for t in node.outputs)
        else:
            before.add(node.name)
    needed: set[int] = set()
    for node in reversed(graph.nodes):
        reached = any(id(t) in needed for t in node.outputs)
        if regions[node.name] is not Region.ANALOG or (node.name in before and reached):
            needed.update(id(t) for t in node.inputs)
    return [n for n in graph.nodes if n.name in before and any(id(t) in needed for t in n.outputs)]


def _carried(node: gs.Node, ends: tuple[Array, Array], opset: int) -> tuple[Array, Array] | None:
    """The ends of the range behind a node that may stay in front of the encoder."""
    if node.op in SAME:
        return ends
    if node.op not in SCALING | MOVING or LINEAR.get(node.op).reason(node) is not None:
        return None
    if node.op in MOVING:
        return _moved(node, ends, opset)
    both = [_applied(node, e, opset) for e in ends]
    return np.minimum(*both), np.maximum(*both)


def _moved(node: gs.Node, ends: tuple[Array, Array], opset: int) -> tuple[Array, Array] | None:
    low, high = ends
    if low.size == high.size == 1:
        ndim = rank(node.outputs[0])
        return None if ndim is None else (low.reshape([1] * ndim), high.reshape([1] * ndim))
    shape = sample_shape(node.inputs[0])
    if shape is None:
        return None
    low, high = (_applied(node, np.broadcast_to(e, (1, *shape)), opset) for e in ends)
    return low, high


def _applied(node: gs.Node, value: Array, opset: int) -> Array:
    at = data_inputs(node)[0]
    inputs = [value if i == at else constant(t) for i, t in enumerate(node.inputs)]
    return evaluate(node.op, inputs, node.attrs, opset)


def _range(low: Array, high: Array) -> Range:
    """Without the batch axis; where nothing varies any width does."""
    low, high = np.broadcast_arrays(low, high)
    high = np.where(high > low, high, low + 1)
    if (low == low.reshape(-1)[0]).all() and (high == high.reshape(-1)[0]).all():
        return Range(low.reshape(-1)[:1], high.reshape(-1)[:1])
    return Range(low[0], high[0])
