"""The whole spiking network in counts, one ONNX graph with its parameters as inputs.

An averaged population answers the mean current z of its window with n spikes out of T::

    u = T·(z + b − lower)/θ + v_init/θ        n = clip(floor(u), 0, T)        a = A·n/T + lower

(A is the threshold θ, or 0 where a channel is dead), and everything between populations is affine:
one pass over the graph takes the place of T steps. What arrives at a population late or early is
not in it, so for other neuron models it is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from onnx2snn.calibration.gradients.backward import Constant, NoGradientError
from onnx2snn.calibration.runnable import Runnable
from onnx2snn.plan import LayerCorrection, NeuronPlan
from onnx2snn.segment import Segment

Array = npt.NDArray[np.float32]
#: Endings of parameters' names.
WEIGHT, BIAS, THRESHOLD, SHIFT = "/weight", "/bias", "/threshold", "/shift"


class CountNetwork:
    """A network of averaged populations whose parameters can be changed between runs.

    Args:
        segments: the network, cut at its populations.
        neurons: one for each site.
        corrections: of layers.
        timesteps: T.

    Attributes:
        nodes: of the graph, in topological order.
        constants: its constants by name.
        parameters: weights of layers, biases of results, thresholds and biases of populations, by
            name; what is put here is used by the next run.
        populations: segments that end at neurons with thresholds.
        results: tensors by which the network's outputs are judged.

    Raises:
        NoGradientError: a pool has neurons whose order of spikes counts.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        neurons: Iterable[NeuronPlan],
        corrections: Iterable[LayerCorrection],
        timesteps: int,
    ) -> None:
        self.timesteps = timesteps
        self.results = tuple(s.error for s in segments if s.is_result)
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
            if segment.site is None:
                continue
            neuron = by_site[segment.site.name]
            if not segment.site.is_pool:
                self._add_population(segment, neuron)
            elif neuron.threshold is not None:
                raise NoGradientError(f"pool '{segment.site.name}' has neurons of its own")

    def session(
        self,
        outputs: Sequence[str],
        nodes: Iterable[onnx.NodeProto] = (),
        constants: Iterable[onnx.TensorProto] = (),
    ) -> Runnable:
        """The graph ready to run, with more nodes behind it; it reads what it does not compute."""
        own = (numpy_helper.from_array(v, n) for n, v in self.constants.items())
        return Runnable(
            self._like, [*self.nodes, *nodes], [*own, *constants], outputs, self._inputs
        )

    def tuned_neurons(self) -> tuple[NeuronPlan, ...]:
        """The populations with their parameters as they are now; potentials keep their shares."""
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
            self.nodes.append(node)
            layer = layers.get(node.name)
            if layer is None:
                continue
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
        assert neuron.amplitude is not None
        start = -np.float32(site.lower) + (0 if neuron.bias is None else neuron.bias)
        alive = (neuron.amplitude != 0).astype(np.float32)
        name = f"{site.name}.count."
        theta, bias = site.name + THRESHOLD, site.name + SHIFT
        self.parameters[theta] = neuron.threshold.astype(np.float32)
        self.parameters[bias] = np.zeros_like(neuron.threshold, np.float32)
        steps = np.float32(self.timesteps)
        for key, value in (
            ("steps", steps),
            ("none", np.float32(0)),
            ("lower", np.float32(site.lower)),
            ("start", np.atleast_1d(start)),
            ("share", neuron.v_init / neuron.threshold),
            ("alive", alive / steps),
        ):
            self.constants[name + key] = np.asarray(value, dtype=np.float32)
        ended = [("a", "Mul", ("n", "worth"))]
        if site.lower != 0:
            ended.append(("above", "Add", ("a", "lower")))
        written = [
            ("gain", "Div", ("steps", theta)),
            ("shift", "Add", ("start", bias)),
            ("lift", "Mul", ("shift", "gain")),
            ("begin", "Add", ("lift", "share")),
            ("drive", "Mul", (segment.output, "gain")),
            ("u", "Add", ("drive", "begin")),
            ("whole", "Floor", ("u",)),
            ("n", "Clip", ("whole", "none", "steps")),
            ("worth", "Mul", (theta, "alive")),
            *ended,
        ]
        own = {key for key, _, _ in written} | {"steps", "none", "lower", "start", "share", "alive"}
        for key, op, given in written:
            output = segment.target if key == ended[-1][0] else name + key
            reads = [name + g if g in own else g for g in given]
            self.nodes.append(helper.make_node(op, reads, [output], name + key))

    def _tuned(self, neuron: NeuronPlan) -> NeuronPlan:
        assert neuron.threshold is not None
        assert neuron.amplitude is not None
        theta, shift = (self.parameters[neuron.site + k] for k in (THRESHOLD, SHIFT))
        bias = shift if neuron.bias is None else shift + neuron.bias
        return replace(
            neuron,
            threshold=theta,
            v_init=(neuron.v_init / neuron.threshold * theta).astype(np.float32),
            amplitude=np.where(neuron.amplitude == 0, np.float32(0), theta),
            bias=bias.astype(np.float32),
        )

    def _layer_bias(self, layer: str) -> Array | None:
        if layer + BIAS in self.parameters:
            return self.parameters[layer + BIAS]
        corrected = self._corrections.get(layer)
        return None if corrected is None else corrected.bias
