"""Move amplitudes forward into weights, so that layers receive unit spikes.

Every population's Mul(A) is pushed through the operators behind it until weights absorb it; see
``onnx2snn.linear.base`` for the algebra. Where it cannot pass (a residual sum) it stays, on that
branch only.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.encoding import SPIKE_CODES
from onnx2snn.emit.state import Emission
from onnx2snn.emit.sum_pools import sum_pool
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.graphs import (
    Array,
    constant,
    consumers,
    data_inputs,
    is_output,
    label,
    new_constant,
    producer,
    rank,
    remove,
    rewire,
)
from onnx2snn.linear import LINEAR, LinearOp
from onnx2snn.linear.window import joined
from onnx2snn.plan import Diagnostic
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN, OPS

POOLS = frozenset({"SpikeAveragePool", "SpikeMaxPool"})
MULTIPLIES = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def push_amplitudes(emission: Emission) -> None:
    """Push all, in topological order of the populations.

    Raises:
        UnsupportedModelError: a spiking pool would receive spikes of differing amplitude.
    """
    _push_all(emission, list(emission.amplitudes))
    # In topological order: what these two make is pushed on to the next of them.
    for node in list(emission.graph.nodes):
        if emission.regions[node.name] is Region.TIME and not node.domain:
            if node.op == "Concat":
                _push_all(emission, _join(emission, node))
            elif node.op == "AveragePool" and carries_unit_spikes(node.inputs[0]):
                _push_all(emission, sum_pool(emission, node))
    _check_pools(emission)
    _report_currents(emission)


def _push_all(emission: Emission, queue: list[gs.Node]) -> None:
    while queue:
        queue.extend(_push(emission, queue.pop(0)))


def _push(emission: Emission, scale: gs.Node) -> list[gs.Node]:
    """Push one Mul; gives the ones that came into being behind it."""
    graph = emission.graph
    spikes, valued = scale.inputs[0], scale.outputs[0]
    amplitude = constant(scale.inputs[1])
    assert amplitude is not None
    moved = []
    if amplitude.size == 1 and amplitude.reshape(()) == 1.0:
        rewire(graph, valued, spikes)
        remove(graph, scale)
        return []
    for node in consumers(valued):
        places = [i for i, t in enumerate(node.inputs) if t is valued]
        if len(places) != 1:
            continue
        if _absorb(graph, node, places[0], amplitude):
            node.inputs[places[0]] = spikes
            if node.op == "Mul" and _as_amplitude(graph, node, places[0]):
                moved.append(node)
        elif len(data_inputs(node)) == 1 or node.domain == DOMAIN:
            behind = _carry(node, amplitude)
            if behind is not None and node.outputs[0].dtype == np.float32:
                node.inputs[places[0]] = spikes
                moved.append(_scale_behind(emission, node, behind))
    if not consumers(valued) and not is_output(graph, valued):
        remove(graph, scale)
    return moved


def _as_amplitude(graph: gs.Graph, node: gs.Node, index: int) -> bool:
    """Write the network's own product with a constant as a population's: it moves on likewise."""
    unit, factor = node.inputs[index], constant(node.inputs[1 - index])
    ndim = rank(unit)
    if factor is None or ndim is None:
        return False
    if factor.size == 1:
        values = factor.reshape(1)
    else:
        padded = factor.reshape([1] * (ndim - factor.ndim) + list(factor.shape))
        values = padded[0]
    node.inputs = [unit, new_constant(graph, f"{node.name}_amplitude", values)]
    return True


def _join(emission: Emission, node: gs.Node) -> list[gs.Node]:
    """Push the amplitudes of all that a Concat joins behind it, if each holds unit spikes."""
    parts = [_unit_and_amplitude(t) for t in node.inputs]
    behind = joined(node, [a for _, a in parts])
    if behind is None:
        return []
    for i, (unit, _) in enumerate(parts):
        node.inputs[i] = unit
    return [_scale_behind(emission, node, behind)]


def _unit_and_amplitude(tensor: gs.Tensor) -> tuple[gs.Tensor, Array | None]:
    """The unit spikes in a tensor and what they are worth; None if it holds others."""
    if carries_unit_spikes(tensor):
        return tensor, np.ones(1, dtype=np.float32)
    maker = producer(tensor)
    if maker is None or maker.op != "Mul" or not carries_unit_spikes(maker.inputs[0]):
        return tensor, None
    return maker.inputs[0], constant(maker.inputs[1])


def _absorb(graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
    handler = _handler(node)
    return handler is not None and handler.absorb(graph, node, index, amplitude)


def _carry(node: gs.Node, amplitude: Array) -> Array | None:
    if node.domain == DOMAIN:
        flat = all(d == 1 for d in amplitude.shape[1:])
        passes = node.op == "SpikeDecode" or (node.op in POOLS and flat)
        return amplitude if passes else None
    handler = _handler(node)
    return None if handler is None else handler.carry(node, amplitude)


def _handler(node: gs.Node) -> LinearOp | None:
    """What amplitudes can pass; an island may be of such a kind and still mix samples."""
    handler = None if node.domain else LINEAR.find(node.op)
    return handler if handler is not None and handler.reason(node) is None else None


def _scale_behind(emission: Emission, node: gs.Node, amplitude: Array) -> gs.Node:
    output = node.outputs[0]
    # A readout's output is analog, and so is everything behind it.
    in_time = emission.regions[node.name] is not Region.ANALOG and node.op != "SpikeDecode"
    inner = emission.variable(f"{node.name}.unit", output, in_time=in_time)
    node.outputs[0] = inner
    value = new_constant(emission.graph, f"{node.name}.amplitude", amplitude.astype(np.float32))
    region = Region.TIME if in_time else Region.ANALOG
    return emission.add("Mul", f"{node.name}.scale", [inner, value], [output], region)


def _check_pools(emission: Emission) -> None:
    for node in emission.graph.nodes:
        if node.op in POOLS and not carries_unit_spikes(node.inputs[0]):
            raise UnsupportedModelError(
                "the pool receives spikes of differing amplitude",
                file=None,
                node=label(node),
                remedy="convert with --avgpool linear",
            )


def carries_unit_spikes(tensor: gs.Tensor) -> bool:
    """Whether a tensor holds unit spikes, as populations made them."""
    maker = producer(tensor)
    if maker is None or maker.domain == DOMAIN:
        return maker is not None and (
            maker.op in POOLS | SPIKE_CODES or OPS.get(maker.op).is_population
        )
    if maker.op == "Concat":
        return all(carries_unit_spikes(t) for t in maker.inputs)
    handler = _handler(maker)
    return handler is not None and handler.moves(maker) and carries_unit_spikes(maker.inputs[0])


def _report_currents(emission: Emission) -> None:
    """Layers in time that receive values, not spikes, cost multiplications."""
    graph = emission.graph
    names = [
        node.name
        for node in graph.nodes
        if node.op in MULTIPLIES
        and emission.regions[node.name] is Region.TIME
        and not carries_unit_spikes(node.inputs[0])
    ]
    if names:
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        emission.diagnostics.append(
            Diagnostic(
                "VALUES_NOT_SPIKES",
                "info",
                "",
                f"{len(names)} layers receive graded values instead of unit spikes: {shown}",
                "no activation stands directly before them (a sum, a linear pool, an offset)",
            )
        )
