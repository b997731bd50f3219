"""From a quantized canonical graph to an exact spiking graph.

The graph is walked once. Every quantizer whose input is an integer signal becomes a population
and is taken out; behind it a readout gives the same integers back::

    ... ─▶ QuantizeLinear ─▶ q            becomes
    neurons ─▶ SpikeDecode ─▶ Cast ─▶ q

so that whatever cannot work on integers still finds, as an ordinary node, what it found in the
source. What nobody reads any more disappears. Integers that ordinary nodes make (the input's
quantizer, one behind an analog part) are encoded. What neurons and encoders are is the speaker's
matter (see ``onnx2snn.exact.speaker``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from onnx2snn.emit.state import Emission
from onnx2snn.exact import quantizer as quantizers
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.rule import RULES, Builder
from onnx2snn.exact.signal import NotExact, Signal, by_channel
from onnx2snn.exact.speaker import Speaker, Voice
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

#: Why a node stays analog that only follows another one, which is named instead.
FOLLOWS = "what it takes is not quantized"


#: Ops through which integers enter time.
ENCODERS = frozenset({"CodeEncode", "IsiEncode"})


@dataclass
class ExactNetwork:
    """An exact spiking graph on its way.

    Attributes:
        emission: the graph, being changed, and what goes with it.
        speaker: the neurons.
        constants: ids of the tensors that depend on no input.
        signals: by id of the tensor of the source that they stand for.
        reasons: by node name: why it stays analog.
        populations: by name, in topological order.
        codes: the largest magnitude of the integers that are spoken, by population or encoder.
        settled: steps after which it is silent, by population.
        voices: the neurons of each population.
    """

    emission: Emission
    speaker: Speaker
    constants: set[int] = field(default_factory=set)
    signals: dict[int, Signal] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    populations: dict[str, ActivationSite] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    voices: dict[str, Voice] = field(default_factory=dict)


def lower(emission: Emission, speaker: Speaker, timesteps: int | None) -> ExactNetwork:
    """Rewrite ``emission.graph`` in place.

    Args:
        emission: holds a canonical graph with integer weights.
        speaker: the neurons.
        timesteps: T as asked for; None for what suffices.

    Raises:
        ConfigError: the neurons cannot speak in so few steps.
    """
    graph = emission.graph
    graph.toposort()
    nodes = list(graph.nodes)
    network = ExactNetwork(emission, speaker, _constants(nodes))
    wanted = _wanted(nodes)
    build = Builder(emission, speaker.code, speaker.arithmetic)
    speaker.begin(nodes, timesteps)
    for node in nodes:
        if node.op == "QuantizeLinear":
            _quantize(network, build, node)
        elif node.name in wanted:
            _pass(network, build, node)
    _report(network, nodes)
    graph.cleanup().toposort()
    left = {n.name for n in graph.nodes}
    for found in (network.populations, network.codes, network.settled):
        for name in set(found) - left:
            del found[name]
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
    integers = reader.inputs[0]
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
        zeros = by_channel(np.array(found.zero_points, dtype=np.int64), rank(reader.outputs[0]))
        centred = gs.Variable(unique_name(graph, f"{base}.centred"), np.int64, integers.shape)
        zero = new_constant(graph, f"{base}.zero_point", zeros)
        emission.add("Sub", f"{base}.centre", [whole, zero], [centred], Region.ANALOG)
        whole = centred
    signal = network.speaker.encode(emission, reader, found, whole)
    network.codes[signal.tensor.inputs[0].name] = signal.reach
    return signal


def _quantize(network: ExactNetwork, build: Builder, node: gs.Node) -> None:
    """A quantizer becomes a population, if integers arrive."""
    if _is_constant(network, node.inputs[0]):
        return
    try:
        found = quantizers.read(node)
        source = _signal(network, node.inputs[0])
        voice = network.speaker.voice(node, found, source)
    except NotExact as reason:
        network.reasons[node.name] = str(reason)
        return
    if voice is None:
        network.signals[id(node.outputs[0])] = source
        return
    _population(network, node, found, voice)


def _population(network: ExactNetwork, node: gs.Node, found: Quantizer, voice: Voice) -> None:
    """Put a population in the place of a quantizer, and its signal behind it."""
    emission, graph = network.emission, network.emission.graph
    values, integers = node.inputs[0], node.outputs[0]
    name = node.name
    readers = [r.name for r in consumers(integers) if r.op == "DequantizeLinear"]
    site = _site(node, found, voice, readers)
    node.name = unique_name(graph, f"{name}.source")
    node.outputs.clear()
    graph.nodes.remove(node)
    signal = voice.insert(emission, name, values)
    node.inputs.clear()
    voice.give_back(emission, name, signal.tensor, integers)
    network.settled[name] = signal.settled
    network.codes[name] = signal.reach
    network.populations[name] = site
    network.voices[name] = voice
    network.signals[id(integers)] = signal


def _site(node: gs.Node, found: Quantizer, voice: Voice, readers: list[str]) -> ActivationSite:
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
        lower=float(smallest * voice.lowest),
        upper=float(smallest * voice.highest),
        levels=voice.highest - voice.lowest + 1,
        scale=float(found.scales[0]) if one else None,
        zero_point=found.zero_points[0] if len(found.zero_points) == 1 else None,
    )


def _report(network: ExactNetwork, nodes: list[gs.Node]) -> None:
    """Name what stays analog between two quantizers."""
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
                "stays as it is, between quantizers, on the integers of the whole window",
                reason,
            )
        )


def _downstream(network: ExactNetwork) -> set[str]:
    """Nodes that read, outside of time, what quantizers say."""
    graph = network.emission.graph
    seen: set[str] = set()
    stack = [
        t
        for n in graph.nodes
        if n.op == "DequantizeLinear" and not _is_constant(network, n.inputs[0])
        for t in n.outputs
    ]
    while stack:
        for reader in consumers(stack.pop()):
            if reader.name not in seen:
                seen.add(reader.name)
                stack.extend(reader.outputs)
    return seen


def _upstream_of_codes(network: ExactNetwork) -> set[str]:
    """Nodes on which an encoder depends."""
    seen: set[str] = set()
    stack = [n for n in network.emission.graph.nodes if n.op in ENCODERS]
    while stack:
        for tensor in stack.pop().inputs:
            maker = producer(tensor)
            if maker is not None and maker.name not in seen:
                seen.add(maker.name)
                stack.append(maker)
    return seen
