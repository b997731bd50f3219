"""A spiking network as a graph through which gradients can flow back, and its parameters.

Everything between populations is affine in time, so it runs on rows of any kind: one for each step
of the window, or one with means over it. What populations answer comes from a simulation and is
fed, and so is how that follows from their currents. The graph is for the way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.calibration.gradients.backward import Constant
from onnx2snn.calibration.pool_rows import max_pool_of_rows
from onnx2snn.calibration.runnable import Runnable
from onnx2snn.plan import LayerCorrection, NeuronPlan
from onnx2snn.segment import Layer, Segment

Array = npt.NDArray[np.float32]
#: Endings of parameters' names.
WEIGHT, BIAS, THRESHOLD, SHIFT = "/weight", "/bias", "/threshold", "/shift"
#: Of the initial potential as a share of the threshold; with means a bias does the same.
POTENTIAL = "/potential"
#: Endings of what is fed of a population beside its answer.
PASSES, LEVERS = "/passes", "/levers"
#: The operator that stands for a population; its rule is in ``gradients/rules/population.py``.
POPULATION = "Population"


class TunableNetwork:
    """A network whose parameters can be changed between runs.

    Args:
        segments: the network, cut at its populations.
        neurons: one for each site.
        corrections: of layers.
        rows: of a window: T, or 1 with means over it.

    Attributes:
        nodes: of the graph, in topological order, with an operator for every population.
        constants: its constants by name.
        parameters: weights of layers, biases of results, thresholds and biases of populations, in
            time potentials too, by name; what is put here is used by the next run.
        populations: segments that end at neurons with thresholds of their own.
        results: tensors by which the network's outputs are judged.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        neurons: Iterable[NeuronPlan],
        corrections: Iterable[LayerCorrection],
        rows: int,
    ) -> None:
        self.rows = rows
        self.results = tuple(s.error for s in segments if s.is_result and not s.site)
        self.populations = tuple(s for s in segments if s.site and not s.site.is_pool)
        self.constants: dict[str, Constant] = {}
        self.parameters: dict[str, Array] = {}
        self.nodes: list[onnx.NodeProto] = []
        self._neurons = tuple(neurons)
        self._corrections = {c.layer: c for c in corrections}
        self._like = onnx.load_from_string(segments[0].model)
        self._inputs: dict[str, onnx.ValueInfoProto] = {}
        by_site = {n.site: n for n in self._neurons}
        made: set[str] = set()
        for segment in segments:
            self._add_segment(segment, made)
            if segment.site is not None and not segment.site.is_pool:
                self._add_population(segment, by_site[segment.site.name])

    def session(
        self,
        outputs: Sequence[str],
        nodes: Iterable[onnx.NodeProto] = (),
        constants: Iterable[onnx.TensorProto] = (),
    ) -> Runnable:
        """The graph ready to run, with more nodes behind it; what populations answer is read."""
        own = (numpy_helper.from_array(v, n) for n, v in self.constants.items())
        run = [n for n in self.nodes if n.op_type != POPULATION]
        return Runnable(self._like, [*run, *nodes], [*own, *constants], outputs, self._inputs)

    def tuned_neurons(self) -> tuple[NeuronPlan, ...]:
        """The populations with their parameters as they are now."""
        sites = {s.site.name for s in self.populations if s.site}
        return tuple(self._tuned(n) if n.site in sites else n for n in self._neurons)

    def tuned_corrections(self) -> tuple[LayerCorrection, ...]:
        """The layers with their parameters as they are now."""
        layers = [n.removesuffix(WEIGHT) for n in self.parameters if n.endswith(WEIGHT)]
        return tuple(
            LayerCorrection(layer, self.parameters[layer + WEIGHT], self._layer_bias(layer))
            for layer in layers
        )

    def _add_segment(self, segment: Segment, made: set[str]) -> None:
        """The nodes between populations; layers read parameters."""
        proto = onnx.load_from_string(segment.model)
        values = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
        self.constants.update(values)
        self._inputs.update({i.name: i for i in proto.graph.input})
        layers = {layer.node: layer for layer in segment.layers}
        for node in proto.graph.node:
            if node.name in made:
                continue
            made.add(node.name)
            if node.op_type == "MaxPool" and self.rows > 1:
                nodes, constants = max_pool_of_rows(node, self.rows)
                self.nodes.extend(nodes)
                self.constants.update(constants)
                continue
            self.nodes.append(node)
            if node.name in layers:
                self._add_layer(segment, layers[node.name], node, values)

    def _add_layer(
        self,
        segment: Segment,
        layer: Layer,
        node: onnx.NodeProto,
        values: Mapping[str, npt.NDArray[np.float32]],
    ) -> None:
        """A layer's weights become parameters, and its bias where no population has one."""
        corrected = self._corrections.get(layer.node)
        weight = values[layer.weight] if corrected is None else corrected.weight
        bias = None if layer.bias is None else values[layer.bias]
        if corrected is not None and corrected.bias is not None:
            bias = corrected.bias
        self.parameters[layer.node + WEIGHT] = weight.astype(np.float32)
        node.input[1] = layer.node + WEIGHT
        if bias is not None:
            held = self.parameters if segment.site is None else self.constants
            held[layer.node + BIAS] = bias.astype(np.float32)
            del node.input[2:]
            node.input.append(layer.node + BIAS)

    def _add_population(self, segment: Segment, neuron: NeuronPlan) -> None:
        site = segment.site
        assert site is not None
        assert neuron.threshold is not None
        theta, shift = site.name + THRESHOLD, site.name + SHIFT
        self.parameters[theta] = neuron.threshold.astype(np.float32)
        self.parameters[shift] = np.zeros_like(neuron.threshold, np.float32)
        reads = [segment.output, theta, shift, site.name + PASSES, site.name + LEVERS]
        self._inputs[site.name + PASSES] = helper.make_tensor_value_info(
            site.name + PASSES, TensorProto.BOOL, None
        )
        if self.rows > 1:
            reads.append(site.name + POTENTIAL)
            self.parameters[site.name + POTENTIAL] = _share(neuron)
        self.nodes.append(
            helper.make_node(POPULATION, reads, [segment.target], site.name, rows=self.rows)
        )

    def _tuned(self, neuron: NeuronPlan) -> NeuronPlan:
        assert neuron.threshold is not None
        assert neuron.amplitude is not None
        theta, shift = (self.parameters[neuron.site + k] for k in (THRESHOLD, SHIFT))
        bias = shift if neuron.bias is None else shift + neuron.bias
        share = self.parameters.get(neuron.site + POTENTIAL, _share(neuron))
        return replace(
            neuron,
            threshold=theta,
            v_init=share * theta,
            amplitude=np.where(neuron.amplitude == 0, np.float32(0), theta),
            bias=bias.astype(np.float32),
        )

    def _layer_bias(self, layer: str) -> Array | None:
        if layer + BIAS in self.parameters:
            return self.parameters[layer + BIAS]
        corrected = self._corrections.get(layer)
        return None if corrected is None else corrected.bias


def _share(neuron: NeuronPlan) -> Array:
    """The initial potential as a share of the threshold."""
    assert neuron.threshold is not None
    share: Array = (neuron.v_init / neuron.threshold).astype(np.float32)
    return share
