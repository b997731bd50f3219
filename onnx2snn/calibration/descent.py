"""How far a network in counts is from its source, and which way its parameters should go.

The loss compares the results, and the activations of every population::

    L = Σ_results mean (y − y*)² / var y*   +   mean_populations mean (a − a*)² / mean a*²

Stars are the source's.
Its gradients come from one ONNX graph, forward and backward.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from onnx2snn.calibration.counts import Array, CountNetwork
from onnx2snn.calibration.gradients.backward import Backward, NoGradientError
from onnx2snn.calibration.runnable import Runnable

#: How much populations weigh against results.
POPULATIONS = 1
#: Put before a tensor's name: the source's value.
WANTED = "wanted/"


class Descent:
    """Loss and gradients of a network's parameters.

    Args:
        network: whose parameters are read at every call.
        source: the same function without spikes.
        inputs: [N, ...] samples that set the units of the loss, by name.
        batch: samples at each call.

    Raises:
        NoGradientError: an operator has no gradient, or nothing that is compared varies.
    """

    def __init__(
        self, network: CountNetwork, source: Runnable, inputs: Mapping[str, Array], batch: int
    ) -> None:
        self._network, self._source = network, source
        self._units = _units(network, source, inputs, batch)
        if not self._units:
            raise NoGradientError("the source is the same for all samples")
        sample = {name: values[:batch] for name, values in inputs.items()}
        every = [name for node in network.nodes for name in node.output]
        shapes = {
            name: value.shape
            for known in (network.session(every).run(sample, network.parameters),
                          network.constants, network.parameters, sample)
            for name, value in known.items()
        }  # fmt: skip
        backward = Backward(network.nodes, shapes, network.constants, network.parameters)
        seeds, self._terms = [], []
        for name, unit in self._units.items():
            missing = backward.emit("Sub", [name, WANTED + name])
            share = backward.constant(1 / (unit * prod(shapes[name])))
            scaled = backward.emit("Mul", [missing, share])
            squares = backward.emit("Mul", [missing, scaled])
            self._terms.append(backward.emit("ReduceSum", [squares], keepdims=0))
            seeds.append((name, backward.emit("Add", [scaled, scaled])))
        backward.run(seeds)
        found = {name: backward.gradient(name) for name in network.parameters}
        self._gradients = {name: tensor for name, tensor in found.items() if tensor is not None}
        outputs = [*self._terms, *self._gradients.values()]
        self._session = network.session(outputs, backward.added, backward.initializers)

    def __call__(self, inputs: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        """The loss on a batch, and its gradient for every parameter that it depends on."""
        wanted = {WANTED + name: value for name, value in self._source.run(inputs).items()}
        values = self._session.run(inputs, wanted, self._network.parameters)
        loss = float(sum(values[name] for name in self._terms))
        return loss, {name: values[tensor] for name, tensor in self._gradients.items()}


def _units(
    network: CountNetwork, source: Runnable, inputs: Mapping[str, Array], batch: int
) -> dict[str, float]:
    """What the squared error of each tensor is divided by; none where the source is constant."""
    total = len(next(iter(inputs.values())))
    sums: dict[str, Array] = {}
    for start in range(0, total, batch):
        part = {name: values[start : start + batch] for name, values in inputs.items()}
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
