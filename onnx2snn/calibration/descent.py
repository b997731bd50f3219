"""How far a spiking network is from its source, and which way its parameters should go.

The loss compares the results, and the mean answers of every population::

    L = Σ_results mean (y − y*)² / var y*   +   30·mean_populations mean (a − a*)² / mean a*²

Stars are the source's; a and y are those of a simulation, step by step.
Gradients come from one ONNX graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.gradients.backward import Backward, NoGradientError
from onnx2snn.calibration.runnable import Runnable
from onnx2snn.calibration.slopes import Slopes
from onnx2snn.calibration.tunable import LEVERS, PASSES, WEIGHT, Array, TunableNetwork

#: How much populations weigh against results. They say more about few samples than results do,
#: which are soon learned by heart.
POPULATIONS = 30
#: What a neuron costs in a pass, in multiply-accumulates: measured on ResNet-20, VGG-16 and
#: MobileNet, whose layers are cheap beside their neurons.
NEURON = 250
#: Samples that the source sees at once.
AT_ONCE = 16
#: Put before a tensor's name: what the loss itself adds to its gradient.
ERROR = "error/"


@dataclass(frozen=True)
class Observation:
    """What a simulation of the network saw.

    Attributes:
        values: [R, N, ...] answers of populations, and inputs as they enter time, by tensor: R = T
            rows of the window, or one with its means.
        answers: [N, ...] means over the window of what is compared, by tensor.
        slopes: of populations, by site.
    """

    values: Mapping[str, Array]
    answers: Mapping[str, Array]
    slopes: Mapping[str, Slopes]

    @property
    def feeds(self) -> dict[str, npt.NDArray[Any]]:
        """Everything by the name it has in a tunable network's graph, [R·N, ...]."""
        rows: dict[str, npt.NDArray[Any]] = dict(self.values)
        for site, slopes in self.slopes.items():
            rows[site + PASSES], rows[site + LEVERS] = slopes.passes, slopes.levers
        return {name: v.reshape(-1, *v.shape[2:]) for name, v in rows.items()}


class Descent:
    """Loss and gradients of a network's parameters.

    Args:
        network: whose parameters are read at every call.
        source: the same function without spikes.
        inputs: [N, ...] samples that set the units of the loss, by name.
        seen: what a simulation of a batch saw, for its shapes.

    Raises:
        NoGradientError: an operator has no gradient, or nothing that is compared varies.
    """

    def __init__(
        self,
        network: TunableNetwork,
        source: Runnable,
        inputs: Mapping[str, Array],
        seen: Observation,
    ) -> None:
        self._network, self._source = network, source
        self._units = _units(network, source, inputs)
        if not self._units:
            raise NoGradientError("the source is the same for all samples")
        every = [name for node in network.nodes for name in node.output if name not in seen.values]
        feeds = seen.feeds
        shapes = {
            name: value.shape
            for known in (network.session(every).run(feeds, network.parameters),
                          network.constants, network.parameters, feeds)
            for name, value in known.items()
        }  # fmt: skip
        #: What one pass of one sample costs: multiply-accumulates of all layers, and neurons.
        self.work = _macs(network, shapes) + NEURON * sum(
            prod(shapes[segment.target][1:]) for segment in network.populations
        )
        backward = Backward(network.nodes, shapes, network.constants, network.parameters)
        backward.run([(name, ERROR + name) for name in self._units])
        found = {name: backward.gradient(name) for name in network.parameters}
        self._gradients = {name: tensor for name, tensor in found.items() if tensor is not None}
        outputs = list(self._gradients.values())
        self._session = network.session(outputs, backward.added, backward.initializers)

    def __call__(
        self, inputs: Mapping[str, Array], seen: Observation
    ) -> tuple[float, dict[str, Array]]:
        """The loss on a batch, and its gradient for every parameter that it depends on.

        Args:
            inputs: the batch, by name.
            seen: what a simulation of it with the network's parameters saw.
        """
        wanted = self._source.run(inputs)
        loss, errors, rows = 0.0, {}, self._network.rows
        for name, unit in self._units.items():
            missing = seen.answers[name] - wanted[name]
            share = 1 / (unit * missing.size)
            loss += share * float(np.vdot(missing, missing))
            error = missing * np.float32(2 * share / rows)
            errors[ERROR + name] = np.tile(error, (rows, *(1 for _ in error.shape[1:])))
        values = self._session.run(seen.feeds, errors, self._network.parameters)
        return loss, {name: values[tensor] for name, tensor in self._gradients.items()}


def _macs(network: TunableNetwork, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Every weight is used once for each place of an output channel."""
    total = 0
    for node in network.nodes:
        if len(node.input) > 1 and node.input[1].endswith(WEIGHT):
            outputs, weights = shapes[node.output[0]], shapes[node.input[1]]
            places = outputs[2:] if node.op_type == "Conv" else outputs[1:-1]
            total += prod(places) * prod(weights)
    return total


def _units(
    network: TunableNetwork, source: Runnable, inputs: Mapping[str, Array]
) -> dict[str, float]:
    """What the squared error of each tensor is divided by; none where the source is constant."""
    total = len(next(iter(inputs.values())))
    sums: dict[str, Array] = {}
    for start in range(0, total, AT_ONCE):
        part = {name: values[start : start + AT_ONCE] for name, values in inputs.items()}
        for name, value in source.run(part).items():
            moments = np.array([value.size, value.sum(dtype=np.float64),
                                np.square(value, dtype=np.float64).sum()])  # fmt: skip
            sums[name] = sums.get(name, np.zeros(3)) + moments
    units = {}
    for name in network.results:
        size, first, second = sums[name]
        units[name] = second / size - (first / size) ** 2
    targets = [segment.target for segment in network.populations]
    for name in targets:
        units[name] = len(targets) * sums[name][2] / sums[name][0] / POPULATIONS
    least = np.finfo(np.float32).tiny
    return {name: float(unit) for name, unit in units.items() if unit > least}
