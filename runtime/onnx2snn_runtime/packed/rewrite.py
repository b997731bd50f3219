"""Puts packed ops in the place of layers of integers, and of the neurons behind them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnx
from onnx import helper

from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.packed.chains import (
    NEURONS,
    Chain,
    Neurons,
    amplitude_of,
    channels_of,
    find_chain,
    find_neurons,
)
from onnx2snn_runtime.packed.graph import Array, Graph, reads
from onnx2snn_runtime.packed.layers import (
    IntegerLayer,
    PackedLayer,
    integer_layer,
    is_quantized,
    pack,
)
from onnx2snn_runtime.packed.spikes import ENCODERS, PACKED_DOMAIN, PackedSpikes, Packer
from onnx2snn_runtime.time_axis import tensors_in_time

LOG = logging.getLogger(__name__)


def with_packed_spikes(
    model: onnx.ModelProto, *, threads: int, tiles: bool, floats: bool
) -> onnx.ModelProto:
    """The model with packed ops where layers of integers read spikes; itself if there are none.

    The outputs keep their names and meaning. A layer's sum is an exact integer and its current
    ``sum · scale + bias``, where the file's own nodes round each product and each sum.

    Args:
        model: a spiking model, as it would be executed.
        threads: that the kernels may use; 0 for as many as the machine has.
        tiles: whether weights are packed for AMX.
        floats: whether layers of float weights that drive neurons run packed as well.
    """
    graph = Graph(model)
    layers = [found for node in graph.nodes if (found := integer_layer(graph, node, floats))]
    rewrite = _Rewrite(graph, layers, tensors_in_time(model), threads, tiles)
    if not rewrite.chosen:
        return model
    nodes = rewrite.run()
    LOG.info("%d of %d layers run packed", len(rewrite.chosen), len(layers))
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    replace_nodes(changed, nodes, rewrite.packer.initializers)
    changed.opset_import.append(helper.make_opsetid(PACKED_DOMAIN, 1))
    return changed


def replace_nodes(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto]
) -> None:
    """Give the model other nodes, more constants, and drop those that nobody reads now.

    Tensors that are still made keep their meaning, and so their shapes.
    """
    read = {name for node in nodes for name in reads(node)}
    read.update(i.name for i in (*model.graph.input, *model.graph.output))
    kept = [t for t in (*model.graph.initializer, *initializers) if t.name in read]
    made = {name for node in nodes for name in node.output}
    shapes = [v for v in model.graph.value_info if v.name in made]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    model.graph.value_info.extend(shapes)


class _Rewrite:
    """One pass over the nodes of a graph.

    Attributes:
        packer: keeps spikes packed, and holds the new nodes and constants.
        chosen: per output, the layers that are replaced.
    """

    def __init__(
        self,
        graph: Graph,
        layers: list[IntegerLayer],
        in_time: set[str],
        threads: int,
        tiles: bool,
    ) -> None:
        self._graph, self._threads, self._tiles = graph, threads, tiles
        self.packer = Packer(graph, threads)
        reading = [layer for layer in layers if self._reads_spikes(layer)]
        self._chains: dict[str, Chain] = {}
        for layer in reading:
            if chain := find_chain(graph, layer, in_time):
                # Where two layers meet at a population, the first one has the neurons.
                self._chains.setdefault(chain.neurons.node.output[0], chain)
        fused = {chain.layer.node.output[0] for chain in self._chains.values()}
        fused.update(other for chain in self._chains.values() for other in chain.others)
        self.chosen = {
            layer.node.output[0]: layer
            for layer in reading
            if layer.node.output[0] in fused or is_quantized(graph, layer.node)
        }
        self._inner = {
            node.output[0]
            for chain in self._chains.values()
            for node in (chain.layer.node, *chain.joins)
        }
        self._wanted = self._sources()
        self._channels_last: dict[str, str] = {}

    def _reads_spikes(self, layer: IntegerLayer) -> bool:
        """Whether a layer reads spikes, and not the few channels of an image that was encoded.

        To gather windows of those takes longer than their products in float32.
        """
        source = layer.node.input[0]
        node = self._graph.maker.get(source)
        encoded = node is not None and node.domain == DOMAIN and node.op_type in ENCODERS
        return self.packer.zero_point(source) is not None and not (encoded and layer.rank > 2)

    def run(self) -> list[onnx.NodeProto]:
        """The nodes of the new graph, without those that nobody reads."""
        for node in self._graph.nodes:
            name = node.output[0]
            if name in self._inner:
                continue
            if name in self._chains:
                self._synapse_fire(self._chains[name])
            elif name in self.chosen:
                self._synapse_current(self.chosen[name])
            elif not (name in self._wanted and self._packed_at_once(node)):
                self.packer.nodes.append(node)
        return self._alive()

    def _sources(self) -> set[str]:
        """The tensors of spikes that packed layers read, and those that these are made of."""
        names = [layer.node.input[0] for layer in self.chosen.values()]
        for chain in self._chains.values():
            for other in chain.others:
                names.append(self._shortcut_of(chain.layer, other)[0])
        found: set[str] = set()
        while names:
            name = names.pop()
            if name not in found and self.packer.zero_point(name) is not None:
                found.add(name)
                names.append(self._graph.maker[name].input[0])
        return found

    def _packed_at_once(self, node: onnx.NodeProto) -> bool:
        """Replace a node that makes spikes by one that makes them packed, if there is one."""
        if node.domain != DOMAIN:
            return False
        if node.op_type == "SpikeMaxPool":
            return self.packer.max_pool(node)
        encoder = self._graph.maker.get(node.input[0])
        if node.op_type not in NEURONS or encoder is None or encoder.op_type != "DirectEncode":
            return False
        shape = channels_of(self._graph, encoder.input[0])
        neurons = find_neurons(self._graph, node, *shape) if shape else None
        if neurons is None or shape is None:
            return False
        rank, channels = shape
        constants = [
            self._constant(node, key, _padded(value)) for key, value in neurons.constants.items()
        ]
        self._emit_neurons(
            "CurrentFire",
            [self._last(encoder.input[0], rank)],
            neurons,
            constants,
            (rank, channels),
            constant=1,
        )
        return True

    def _synapse_fire(self, chain: Chain) -> None:
        layer, neurons = chain.layer, chain.neurons
        inputs, given, packed = self._synapse(layer)
        constants = [
            self._constant(neurons.node, key, packed.columns(value, filler=1))
            for key, value in neurons.constants.items()
        ]
        spikes, amplitude, zero_point, currents = self._arrivals(chain, packed)
        self._emit_neurons(
            "SynapseFire",
            [*inputs, spikes, amplitude, currents],
            neurons,
            constants,
            (layer.rank, layer.outputs),
            shortcut_zero=zero_point,
            **given,
        )

    def _emit_neurons(
        self,
        op: str,
        inputs: list[str],
        neurons: Neurons,
        constants: list[str],
        shape: tuple[int, int],
        **given: Any,
    ) -> None:
        """Append the node that has these neurons; constants and states are in the file's order."""
        rank, channels = shape
        theta, *limits = constants
        v_init, *tracers = neurons.states
        spikes, *finals = neurons.node.output
        made = PackedSpikes(self.packer.name(spikes), neurons.zero_point, rank, channels)
        self.packer.emit(
            op,
            [*inputs, neurons.timesteps, theta, v_init, *limits, *tracers],
            [made.name, *finals],
            neuron=neurons.kind,
            rank=rank,
            **given,
        )
        self.packer.made(spikes, made)

    def _synapse_current(self, layer: IntegerLayer) -> None:
        inputs, given, _ = self._synapse(layer)
        name = layer.node.output[0]
        last = self._channels_last[name] = self._graph.new_name(name + ".channels_last")
        self.packer.emit("SynapseCurrent", inputs, [last], **given)
        image = name if layer.rank == 4 else self._graph.new_name(name + ".image")
        self._stock("Transpose", [last], image, perm=[0, 3, 1, 2])
        if layer.rank < 4:
            self._stock("Squeeze", [image, self._axes(layer.rank, name)], name)

    def _synapse(self, layer: IntegerLayer) -> tuple[list[str], dict[str, Any], PackedLayer]:
        """Inputs and attributes that every layer has, and its packed weights."""
        node = layer.node
        spikes = self.packer.packed(node.input[0], layer.rank)
        assert spikes is not None, "chosen because its input is spikes"
        if spikes.flat and spikes.channels:
            layer = layer.reading_flat(spikes.channels)
        packed = pack(layer, self._tiles)
        silence = spikes.zero_point * layer.weights.sum(axis=(2, 3, 4), dtype=np.int32)
        constants = {
            "weights": packed.weights,
            "ranges": packed.ranges,
            "offset": packed.columns(silence),
            "scale": packed.columns(layer.scale),
            "bias": packed.columns(layer.bias),
        }
        given = {
            "kernel_shape": layer.weights.shape[3:],
            "strides": layer.strides,
            "pads": layer.pads,
            "dilations": layer.dilations,
            "flat": int(spikes.flat),
            "range_channels": packed.range_channels,
            "channels": layer.outputs,
            "zero_point": spikes.zero_point,
            "threads": self._threads,
        }
        names = [self._constant(node, key, value) for key, value in constants.items()]
        return [spikes.name, *names], given, packed

    def _shortcut_of(self, layer: IntegerLayer, other: str) -> tuple[str, Array]:
        """A tensor as spikes and their amplitudes."""
        product = amplitude_of(self._graph, other, layer.rank, layer.outputs)
        return product or (other, np.ones(layer.outputs, np.float32))

    def _arrivals(self, chain: Chain, packed: PackedLayer) -> tuple[str, str, int, str]:
        """What joins the layer's currents: spikes, amplitude, zero point; and other currents."""
        layer, node = chain.layer, chain.neurons.node
        spikes, amplitude, zero_point, sums = "", "", 0, ""
        for i, other in enumerate(chain.others):
            name, factor = self._shortcut_of(layer, other)
            found = None if spikes else self.packer.packed(name, layer.rank)
            if found is not None and not found.flat:
                spikes, zero_point = found.name, found.zero_point
                amplitude = self._constant(node, "amplitude", packed.columns(factor))
                continue
            last = self._last(other, layer.rank)
            if sums:
                total = self._graph.new_name(f"{node.output[0]}.others.{i}")
                last = self._stock("Add", [sums, last], total)
            sums = last
        return spikes, amplitude, zero_point, sums

    def _last(self, name: str, rank: int) -> str:
        """A float tensor with channels last, [R, H, W, C]."""
        if name not in self._channels_last:
            image = name
            if rank < 4:
                image = self._graph.new_name(name + ".image")
                self._stock("Unsqueeze", [name, self._axes(rank, name)], image)
            last = self._graph.new_name(name + ".channels_last")
            self._channels_last[name] = self._stock("Transpose", [image], last, perm=[0, 2, 3, 1])
        return self._channels_last[name]

    def _axes(self, rank: int, name: str) -> str:
        """The axes that an image [R, C, H, W] has, and a tensor of fewer axes has not."""
        return self.packer.constant(name + ".axes", np.arange(2, 6 - rank, dtype=np.int64))

    def _stock(self, op: str, inputs: list[str], output: str, **given: Any) -> str:
        self.packer.nodes.append(helper.make_node(op, inputs, [output], name=output, **given))
        return output

    def _constant(self, node: onnx.NodeProto, key: str, value: Array) -> str:
        return self.packer.constant(f"{node.output[0]}.{key}", value)

    def _alive(self) -> list[onnx.NodeProto]:
        """The nodes that somebody reads; with those that unpack what is also read as floats."""
        needed = set(self._graph.outputs)
        unpacking = self.packer.unpacking()
        made = {name for node in self.packer.nodes for name in node.output}
        kept = []
        for node in reversed(self.packer.nodes):
            for output in node.output:
                for unpack in unpacking.get(output, ()):
                    if unpack.output[0] in needed and unpack.output[0] not in made:
                        kept.append(unpack)
                        needed.add(output)
            if not needed.isdisjoint(node.output):
                kept.append(node)
                needed.update(reads(node))
        return kept[::-1]


def _padded(values: Array) -> Array:
    """[C] filled up to whole parts of the kernel that has no layer."""
    filled = np.ones(-(-len(values) // 32) * 32, np.float32)
    filled[: len(values)] = values
    return filled
