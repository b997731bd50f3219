"""A population while it is being settled: what arrives, what it answers, what stages change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.populations import SIMULATIONS, Simulate
from onnx2snn.calibration.signals import rates, time_mean
from onnx2snn.calibration.slopes import Slopes, joined, slopes_in_time, slopes_of_means
from onnx2snn.calibration.walker import View
from onnx2snn.plan import ActivationSite, NeuronPlan

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """A population's answer.

    Attributes:
        spikes: [R, N, ...] as :class:`onnx2snn.calibration.signals.Train` holds them.
        rate: [N, ...] spikes per step.
        drive: [N, ...] mean current.
    """

    spikes: npt.NDArray[np.int8] | Array
    rate: Array
    drive: Array


@dataclass(frozen=True)
class Work:
    """A population at work; stages give a changed one back.

    Attributes:
        view: what is known at its place.
        site: where it stands.
        neuron: as it is so far.
        corrections: of the layers in front of it.
        twin: [N, ...] activations of a chain of averaged populations beside this one, if any.
        seed: for whatever a stage draws at random.
    """

    view: View
    site: ActivationSite
    neuron: NeuronPlan
    corrections: Mapping[str, Corrected] = field(default_factory=dict)
    twin: Array | None = None
    seed: int = 0

    @property
    def timesteps(self) -> int:
        """T."""
        return self.view.timesteps

    @property
    def threshold(self) -> Array:
        """The population's threshold."""
        assert self.neuron.threshold is not None
        return self.neuron.threshold

    @property
    def amplitude(self) -> Array:
        """What one of its spikes is worth."""
        assert self.neuron.amplitude is not None
        return self.neuron.amplitude

    @cached_property
    def wanted(self) -> Array:
        """[N, ...] the source's activations above the lower bound."""
        return self.view.wanted - np.float32(self.site.lower)

    @property
    def simulate(self) -> Simulate:
        """The neuron model."""
        return SIMULATIONS[self.neuron.neuron, self.neuron.reset]

    def currents(self) -> Iterator[tuple[slice, Array]]:
        """Part after part: what arrives at every step, bias included, [R, n, ...]."""
        shift = np.full(1, -self.site.lower, dtype=np.float32)
        if self.neuron.bias is not None:
            shift = shift + self.neuron.bias
        moved = shift.any()
        for part, current in self.view.currents(self.corrections):
            yield part, current + shift if moved else current

    @cached_property
    def outcome(self) -> Outcome:
        """What the population answers."""
        spikes: list[npt.NDArray[Any]] = []
        drive = []
        for _, current in self.currents():
            out = self.simulate(current, self.threshold, self.neuron.v_init, self.timesteps)
            spikes.append(out)
            drive.append(time_mean(current))
        every = spikes[0] if len(spikes) == 1 else np.concatenate(spikes, axis=1)
        mean = drive[0] if len(drive) == 1 else np.concatenate(drive)
        return Outcome(every, rates(every), mean)

    def slopes(self, *, in_time: bool) -> Slopes:
        """How the answer follows its current, of every step or of means over the window."""
        share, alive = self.neuron.v_init / self.threshold, self.amplitude != 0
        if not in_time:
            return slopes_of_means(self.outcome.drive, self.threshold, share, alive, self.timesteps)
        spikes = self.outcome.spikes
        parts = [
            slopes_in_time(current, spikes[:, part], self.threshold, share, alive)
            for part, current in self.currents()
        ]
        return parts[0] if len(parts) == 1 else joined(parts)

    @cached_property
    def missing(self) -> Array:
        """[N, ...] the source's activations less the population's."""
        missing: Array = self.wanted - self.outcome.rate * self.amplitude
        return missing

    @cached_property
    def error(self) -> float:
        """Squared error, relative to the squared activations."""
        size = float(np.square(self.wanted, dtype=np.float64).sum())
        lost = float(np.square(self.missing, dtype=np.float64).sum())
        return lost / size if size > 0 else lost

    def per_channel(self, values: Array) -> Array:
        """Means over all but the channel axis of [N, C, ...], shaped to broadcast."""
        axes = (0, *range(2, values.ndim))
        means = values.mean(axis=axes, keepdims=True, dtype=np.float64)[0]
        return np.asarray(means, dtype=np.float32)

    def changed(self, stage: str, by: str, **values: Any) -> Work:
        """With other values of the neuron, and a note of who set them."""
        told = {**self.neuron.provenance, stage: by}
        return replace(self, neuron=replace(self.neuron, provenance=told, **values))

    def with_threshold(self, threshold: Array, amplitude: Array) -> Work:
        """With another threshold; who chose it, the start has told."""
        return replace(self, neuron=replace(self.neuron, threshold=threshold, amplitude=amplitude))

    def with_bias(self, stage: str, by: str, bias: Array) -> Work:
        """With a bias on top of the present one."""
        present = np.zeros(1, np.float32) if self.neuron.bias is None else self.neuron.bias
        return self.changed(stage, by, bias=(present + bias).astype(np.float32))

    def if_better(self, other: Work) -> Work:
        """The one of both with the smaller error."""
        return other if other.error < self.error else self
