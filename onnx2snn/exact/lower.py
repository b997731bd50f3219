"""From a quantized canonical graph to an exact spiking graph.

The graph is walked once. Every quantizer whose input is an integer signal becomes a population
and is taken out; behind it a readout gives the same integers back::

    ... ─▶ QuantizeLinear ─▶ q            becomes
    StaircaseFire ─▶ SpikeDecode ─▶ Cast ─▶ q

so that whatever cannot work on integers still finds, as an ordinary node, what it found in the
source. What nobody reads any more disappears. Integers that ordinary nodes make (the input's
quantizer, one behind an analog part) enter time by a CodeEncode.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto, helper

from onnx2snn.emit.boundaries import readout_states
from onnx2snn.emit.state import Emission
from onnx2snn.exact import quantizer as quantizers
from onnx2snn.exact.kernels import Lookup
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.rational import rational_table
from onnx2snn.exact.rule import RULES, Builder
from onnx2snn.exact.signal import NotExact, Signal
from onnx2snn.exact.table import Table
from onnx2snn.graphs import (
    consumers,
    label,
    new_constant,
    producer,
    rank,
    unique_name,
)
from onnx2snn.plan import ActivationSite, Diagnostic
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN

#: Why a node stays analog that only follows another one, which is named instead.
FOLLOWS = "what it takes is not quantized"
#: How an input's integers are spoken, by the emission of the populations.
ENCODINGS = {"unary": "once", "averaged": "averaged", "radix": "radix"}


@dataclass
class ExactNetwork:
    """An exact spiking graph on its way.

    Attributes:
        emission: the graph, being changed, and what goes with it.
        kind: how the populations speak: "unary", "averaged" or "radix".
        arithmetic: whose integers they speak: "rational" or "ort".
        constants: ids of the tensors that depend on no input.
        signals: by id of the tensor of the source that they stand for.
        reasons: by node name: why it stays analog.
        populations: by name, in topological order.
        codes: the largest magnitude of every integer that is spoken.
        settled: steps after which everything is silent.
        in_float: quantizers that onnxruntime computes in float32, for which it has no kernel.
    """

    emission: Emission
    kind: str
    arithmetic: str
    constants: set[int] = field(default_factory=set)
    signals: dict[int, Signal] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    populations: dict[str, ActivationSite] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    settled: int = 1
    in_float: list[str] = field(default_factory=list)

    @property
    def guaranteed(self) -> int:
        """The number of time steps after which the result is final for every input."""
        if self.kind == "unary":
            return self.settled
        largest = max(self.codes, default=1)
        return largest if self.kind == "averaged" else largest.bit_length()


def lower(emission: Emission, kind: str, arithmetic: str) -> ExactNetwork:
    """Rewrite ``emission.graph`` in place.

    Args:
        emission: holds a canonical graph with integer weights.
        kind: "unary", "averaged" or "radix".
        arithmetic: "rational" or "ort".
    """
    graph = emission.graph
    graph.toposort()
    nodes = list(graph.nodes)
    network = ExactNetwork(emission, kind, arithmetic, _constants(nodes))
    wanted = _wanted(nodes)
    build = Builder(emission, "radix" if kind == "radix" else "count", arithmetic)
    for node in nodes:
        if node.op == "QuantizeLinear":
            _quantize(network, build, node)
        elif node.name in wanted:
            _pass(network, build, node)
    _report(network, nodes)
    graph.cleanup().toposort()
    left = {n.name for n in graph.nodes}
    network.populations = {k: v for k, v in network.populations.items() if k in left}
    return network


def _wanted(nodes: list[gs.Node]) -> set[str]:
    """Nodes on the way to a quantizer, with nothing but rules in between."""
    wanted: set[str] = set()
    for node in reversed(nodes):
        readers = [r for t in node.outputs for r in consumers(t)]
        if (
            RULES.find(node.op) is not None
            and not node.domain
            and any(r.op == "QuantizeLinear" or r.name in wanted for r in readers)
        ):
            wanted.add(node.name)
    return wanted


def _pass(network: ExactNetwork, build: Builder, node: gs.Node) -> None:
    """Carry signals through a node; where that is impossible it stays as it is."""
    try:
        signals = [None if _is_constant(network, t) else _signal(network, t) for t in node.inputs]
        if not any(s is not None for s in signals):
            return
        network.signals[id(node.outputs[0])] = RULES.get(node.op)(build, node, signals)
    except NotExact as reason:
        network.reasons[node.name] = str(reason)


def _constants(nodes: list[gs.Node]) -> set[int]:
    """Ids of the tensors that depend on no input of the graph."""
    found: set[int] = set()

    def fixed(tensor: gs.Tensor) -> bool:
        return isinstance(tensor, gs.Constant) or tensor.is_empty() or id(tensor) in found

    for node in nodes:
        if all(fixed(t) for t in node.inputs):
            found.update(id(t) for t in node.outputs)
    return found


def _is_constant(network: ExactNetwork, tensor: gs.Tensor) -> bool:
    return isinstance(tensor, gs.Constant) or tensor.is_empty() or id(tensor) in network.constants


def _signal(network: ExactNetwork, tensor: gs.Tensor) -> Signal:
    """The signal of a tensor; integers of an ordinary node are encoded.

    Raises:
        NotExact: it holds no integers.
    """
    known = network.signals.get(id(tensor))
    if known is not None:
        return known
    maker = producer(tensor)
    if maker is None or maker.op != "DequantizeLinear":
        if maker is not None:
            network.reasons.setdefault(maker.name, "it has no form on integers")
        raise NotExact(FOLLOWS)
    found = quantizers.read(maker)
    at = network.signals.get(id(maker.inputs[0]))
    signal = at if at is not None else _encoded(network, maker, found)
    network.signals[id(tensor)] = signal
    return signal


def _encoded(network: ExactNetwork, reader: gs.Node, found: Quantizer) -> Signal:
    """Integers of an ordinary node as a spike train."""
    emission, graph = network.emission, network.emission.graph
    integers, values = reader.inputs[0], reader.outputs[0]
    base = f"{reader.name}.code"
    whole = gs.Variable(unique_name(graph, f"{base}.int64"), np.int64, integers.shape)
    emission.add(
        "Cast",
        f"{base}.cast",
        [integers],
        [whole],
        Region.ANALOG,
        attrs={"to": int(TensorProto.INT64)},
    )
    if any(found.zero_points):
        zeros = _by_channel(np.array(found.zero_points, dtype=np.int64), rank(values))
        centred = gs.Variable(unique_name(graph, f"{base}.centred"), np.int64, integers.shape)
        zero = new_constant(graph, f"{base}.zero_point", zeros)
        emission.add("Sub", f"{base}.centre", [whole, zero], [centred], Region.ANALOG)
        whole = centred
    spikes = emission.variable(f"{base}.spikes", values, in_time=True)
    steps = gs.Variable(unique_name(graph, f"{base}.t_final"), np.int64, [])
    start = gs.Constant(unique_name(graph, f"{base}.t_init"), np.zeros((), dtype=np.int64))
    how = ENCODINGS[network.kind]
    node = emission.add(
        "CodeEncode",
        f"{reader.name}.encode",
        [whole, start, emission.timesteps],
        [spikes, steps],
        Region.TIME,
        domain=DOMAIN,
        attrs={"emission": how},
    )
    emission.docs[node.name] = f"The quantizer's integers in time ({how})."
    largest = max(max(abs(found.lowest - z), abs(found.highest - z)) for z in found.zero_points)
    network.codes.append(largest)
    peak = largest if how == "once" else 1
    return Signal(
        spikes,
        found.scales,
        peak=peak,
        reach=largest,
        settled=1,
        is_population=how != "once",
        kernel=_lookup(found),
        quantizer=found,
    )


def _by_channel(values: np.ndarray, ndim: int | None) -> np.ndarray:
    trailing = [1] * max((ndim or 0) - 2, 0)
    return values.reshape(-1, *trailing) if values.size > 1 else values.reshape(())


def _quantize(network: ExactNetwork, build: Builder, node: gs.Node) -> None:
    """A quantizer becomes a population, if integers arrive."""
    if _is_constant(network, node.inputs[0]):
        return
    try:
        found = quantizers.read(node)
        source = _signal(network, node.inputs[0])
    except NotExact as reason:
        network.reasons[node.name] = str(reason)
        return
    table = _table(network, node, found, source)
    _population(network, node, found, source, table)


def _table(network: ExactNetwork, node: gs.Node, found: Quantizer, source: Signal) -> Table:
    """The staircase in the arithmetic that is asked for."""
    if network.arithmetic == "ort":
        kernel = source.kernel
        table = None if kernel is None else kernel.table(found, source.functions, source.reach)
        if table is not None:
            return table
        network.in_float.append(label(node))
    return rational_table(source, found)


def _lookup(found: Quantizer) -> Lookup | None:
    """How onnxruntime goes on from a quantizer's codes."""
    return Lookup(np.float32(float(found.scales[0]))) if found.channels == 1 else None


def _population(
    network: ExactNetwork, node: gs.Node, found: Quantizer, source: Signal, table: Table
) -> None:
    """Put a population in the place of a quantizer, and its signal behind it."""
    emission, graph = network.emission, network.emission.graph
    values, integers = node.inputs[0], node.outputs[0]
    name = node.name
    readers = [r.name for r in consumers(integers) if r.op == "DequantizeLinear"]
    site = _site(node, found, table, readers)
    node.name = unique_name(graph, f"{name}.source")
    node.outputs.clear()
    graph.nodes.remove(node)
    spikes = emission.variable(f"{name}.spikes", values, in_time=True)
    states = [
        gs.Variable(
            unique_name(graph, f"{name}.{s}"),
            np.int64,
            None if values.shape is None else [emission.batch, *values.shape[1:]],
        )
        for s in ("acc_final", "s_final")
    ]
    zero = np.zeros(1, dtype=np.int64)
    emission.add(
        "StaircaseFire",
        name,
        [
            source.tensor,
            new_constant(graph, f"{name}.tau", table.tau),
            new_constant(graph, f"{name}.s_min", np.array([table.s_min], dtype=np.int64)),
            new_constant(graph, f"{name}.acc_init", zero),
            new_constant(graph, f"{name}.s_init", zero),
            emission.timesteps,
        ],
        [spikes, *states],
        Region.SITE,
        domain=DOMAIN,
        attrs={"emission": network.kind},
    )
    node.inputs.clear()
    emission.docs[name] = (
        f"Speaks the integers of the quantizer ({network.kind}): "
        f"{table.s_min} to {table.s_max}, zero point {', '.join(map(str, found.zero_points))}."
    )
    _give_back(network, spikes, integers, found, name)
    settled = source.settled + max(table.s_max, 0) - min(table.s_min, 0)  # it starts at 0
    network.settled = max(network.settled, settled)
    network.codes.append(table.magnitude)
    network.populations[name] = site
    network.signals[id(integers)] = Signal(
        spikes,
        found.scales,
        peak=1,
        reach=table.magnitude,
        settled=settled,
        is_population=True,
        kernel=_lookup(found),
        quantizer=found,
    )


def _give_back(
    network: ExactNetwork, spikes: gs.Variable, integers: gs.Variable, found: Quantizer, name: str
) -> None:
    """The integers for whoever is not in time."""
    emission, graph = network.emission, network.emission.graph
    counts = emission.variable(f"{name}.count", integers, in_time=False)
    mode = "radix" if network.kind == "radix" else "sum"
    before, after = readout_states(emission, f"{name}.decode", counts)
    decode = emission.add(
        "SpikeDecode",
        f"{name}.decode",
        [spikes, *before, emission.timesteps],
        [counts, *after],
        Region.TIME,
        domain=DOMAIN,
        attrs={"mode": mode, "cumulative": 0},
    )
    emission.docs[decode.name] = "Readout: the population's integer, without its zero point."
    if any(found.zero_points):
        shifted = emission.variable(f"{name}.integer", integers, in_time=False)
        zeros = _by_channel(np.array(found.zero_points, dtype=np.float32), rank(integers))
        zero = new_constant(graph, f"{name}.zero_point", zeros)
        emission.add("Add", f"{name}.shift_back", [counts, zero], [shifted], Region.ANALOG)
        counts = shifted
    emission.add(
        "Cast",
        f"{name}.cast",
        [counts],
        [integers],
        Region.ANALOG,
        attrs={"to": int(helper.np_dtype_to_tensor_dtype(found.dtype))},
    )


def _site(node: gs.Node, found: Quantizer, table: Table, readers: list[str]) -> ActivationSite:
    source = node.inputs[0]
    length = source.shape[1] if source.shape is not None and len(source.shape) > 1 else None
    smallest = min(found.scales)
    one = len(found.scales) == 1
    return ActivationSite(
        name=node.name,
        kind="quantizer",
        source=source.name,
        target=node.outputs[0].name,
        nodes=(node.name, *readers),
        channels=int(length) if isinstance(length, (int, np.integer)) else None,
        rank=rank(source) or 0,
        lower=float(smallest * table.s_min),
        upper=float(smallest * table.s_max),
        levels=table.s_max - table.s_min + 1,
        scale=float(found.scales[0]) if one else None,
        zero_point=found.zero_points[0] if len(found.zero_points) == 1 else None,
    )


def _report(network: ExactNetwork, nodes: list[gs.Node]) -> None:
    """Name what stays analog between two populations."""
    behind = _downstream(network)
    before = _upstream_of_codes(network)
    for node in nodes:
        reason = network.reasons.get(node.name, FOLLOWS)
        if reason == FOLLOWS or not (node.name in behind and node.name in before):
            continue
        network.emission.diagnostics.append(
            Diagnostic(
                "ANALOG_ISLAND",
                "warning",
                label(node),
                "stays as it is, between two populations, on the integers of the window before",
                reason,
            )
        )


def _downstream(network: ExactNetwork) -> set[str]:
    """Nodes of the source that read what a population gives back."""
    graph = network.emission.graph
    seen: set[str] = set()
    names = {f"{name}.decode" for name in network.populations}
    stack = [t for n in graph.nodes if n.name in names for t in n.outputs]
    while stack:
        for reader in consumers(stack.pop()):
            if reader.name not in seen:
                seen.add(reader.name)
                stack.extend(reader.outputs)
    return seen


def _upstream_of_codes(network: ExactNetwork) -> set[str]:
    """Nodes on which an encoder depends."""
    seen: set[str] = set()
    stack = [n for n in network.emission.graph.nodes if n.op == "CodeEncode"]
    while stack:
        for tensor in stack.pop().inputs:
            maker = producer(tensor)
            if maker is not None and maker.name not in seen:
                seen.add(maker.name)
                stack.append(maker)
    return seen
