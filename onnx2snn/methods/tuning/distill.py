"""distill: all weights, thresholds and biases descend together towards the source's activations.

Every step simulates a batch through time. Its backward pass is that of means over the window, the
floor's derivative taken as one (straight-through, as Li 2021 does layer by layer): gradients of
rates cost one pass, not T. The source is the teacher, so labels are not needed, and images may be
mirrored and shifted (``augment``). In every step some neurons answer without spikes (QDrop, Wei et
al. 2022): what is learned depends less on how single values were rounded.

Adam (Kingma and Ba 2015) with steps in proportion to each parameter's size, which rise and fall
as a cosine. What is kept is the running mean of the parameters: the floor makes gradients noisy,
and the mean is better on other samples than the last value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.augmentation import NO_AUGMENTATION, flipped_and_cropped
from onnx2snn.calibration.descent import Descent, Observation
from onnx2snn.calibration.populations import rows_of_window
from onnx2snn.calibration.runnable import source_network
from onnx2snn.calibration.signals import Array, Encode
from onnx2snn.calibration.tunable import THRESHOLD, WEIGHT, TunableNetwork
from onnx2snn.checkpoint import NOWHERE, Place
from onnx2snn.methods.base import TUNINGS, Calibrated, TuningMethod
from onnx2snn.methods.forward import observe_plan
from onnx2snn.plan import ConversionConfig, Progress
from onnx2snn.segment import Segment

BATCH = 16
#: Multiply-accumulates that are spent on all steps, and limits of their number.
WORK, FEWEST, MOST = 1.71e12, 40, 600
#: What teacher and backward pass cost, in passes of a step's simulation.
PASSES = 4
#: The largest step, as a share of a parameter's size.
RATE = 0.014
#: Share of all steps in which the rate rises.
WARM = 0.1
#: Share of neurons that answer their current as it is, in every step others.
UNROUNDED = 0.2
#: Of Adam: how long gradients and their squares are remembered.
FIRST, SECOND = 0.9, 0.99
#: How much of the running mean is kept at every step.
KEPT = 0.97
#: Thresholds stay above this share of where they began.
LEAST = 0.05


def tune(
    segments: Sequence[Segment],
    start: Calibrated,
    inputs: Mapping[str, Array],
    config: ConversionConfig,
    progress: Progress | None,
    encoders: Mapping[str, Encode],
    place: Place = NOWHERE,
) -> Calibrated:
    """See :class:`onnx2snn.methods.base.Tune`."""
    network = TunableNetwork(segments, start.neurons, start.corrections, config.timesteps)

    def observe(batch: Mapping[str, Array], step: int) -> Observation:
        rng = np.random.default_rng((config.seed, step))
        return observe_plan(
            segments,
            network.tuned_neurons(),
            network.tuned_corrections(),
            batch,
            config.timesteps,
            encoders,
            lambda shape: rng.integers(256, size=shape, dtype=np.uint8) < round(256 * UNROUNDED),
        )

    samples = len(next(iter(inputs.values())))
    size = min(BATCH, samples)
    first = {name: values[:size] for name, values in inputs.items()}
    descent = Descent(network, source_network(segments), inputs, observe(first, 0))
    rows = rows_of_window(config.neuron, config.timesteps)
    steps = round(min(MOST, max(FEWEST, WORK / (size * (rows + PASSES) * descent.macs))))
    optimizer = _Adam(network, place.recall(State))
    rng = np.random.default_rng(config.seed)
    for step, chosen in enumerate(_batches(samples, size, steps, config.seed)):
        batch = {name: values[chosen] for name, values in inputs.items()}
        if config.augment != NO_AUGMENTATION:
            batch = flipped_and_cropped(batch, rng)
        if step < optimizer.state.steps:  # before an interruption; the draws must be the same
            continue
        loss, gradients = descent(batch, observe(batch, step))
        warm = min(1.0, (step + 1) / (WARM * steps + 1))
        optimizer.step(gradients, RATE * warm * (1 + cos(pi * step / steps)) / 2)
        place.keep(optimizer.state)
        if progress:
            progress(f"tune all layers: loss {loss:.3g}", step + 1, steps)
    network.parameters.update(optimizer.state.means)
    return Calibrated(network.tuned_neurons(), network.tuned_corrections())


def _batches(samples: int, size: int, steps: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of every batch: each epoch in an order of its own, what is left over dropped."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        place = step % (samples // size)
        if place == 0:
            order = rng.permutation(samples)
        yield order[place * size : (place + 1) * size]


@dataclass(frozen=True)
class State:
    """Where the descent is.

    Attributes:
        steps: done so far.
        parameters: by name; so are the others.
        first: gradients as they are remembered.
        second: their squares.
        means: of the parameters.
    """

    steps: int
    parameters: Mapping[str, Array]
    first: Mapping[str, Array]
    second: Mapping[str, Array]
    means: Mapping[str, Array]


class _Adam:
    """Adam on a network's parameters, and their running means; may go on from a state."""

    def __init__(self, network: TunableNetwork, state: State | None) -> None:
        self._parameters = network.parameters
        self._scales = _scales(network.parameters)
        self._limits = _limits(network)
        zeros = {n: np.zeros_like(p) for n, p in self._parameters.items()}
        start = dict(self._parameters)
        self.state = State(0, start, zeros, zeros, start) if state is None else state
        self._parameters.update(self.state.parameters)

    def step(self, gradients: Mapping[str, Array], rate: float) -> None:
        """One step of all parameters; a new state, so that the last one can be kept."""
        last = self.state
        steps = last.steps + 1
        late = 1 - FIRST**steps, 1 - SECOND**steps
        keep = min(KEPT, 1 - 1 / steps)
        values, firsts, seconds, means = (
            dict(known) for known in (last.parameters, last.first, last.second, last.means)
        )
        for name, gradient in gradients.items():
            first = firsts[name] + np.float32(1 - FIRST) * (gradient - firsts[name])
            second = seconds[name] + np.float32(1 - SECOND) * (np.square(gradient) - seconds[name])
            root = np.sqrt(second / np.float32(late[1])) + np.finfo(np.float32).tiny
            change = np.float32(rate / late[0]) * self._scales[name] * first / root
            moved = (values[name] - change).astype(np.float32)
            if name in self._limits:
                moved = np.clip(moved, *self._limits[name])
            means[name] = means[name] + np.float32(1 - keep) * (moved - means[name])
            values[name], firsts[name], seconds[name] = moved, first, second
        self._parameters.update(values)
        self.state = State(steps, values, firsts, seconds, means)


def _scales(parameters: Mapping[str, Array]) -> dict[str, Array]:
    """The size of a parameter: of weights their layer's, of populations' their threshold."""
    scales = {}
    for name in parameters:
        owner = name.rpartition("/")[0]
        if owner + THRESHOLD in parameters:
            scales[name] = parameters[owner + THRESHOLD].copy()
        else:
            mean = np.mean(np.square(parameters[owner + WEIGHT]), dtype=np.float64)
            scales[name] = np.sqrt(mean, dtype=np.float32)
    return scales


def _limits(network: TunableNetwork) -> dict[str, tuple[Array, Array]]:
    """Between what thresholds must stay."""
    limits = {}
    for segment in network.populations:
        site = segment.site
        assert site is not None
        start = network.parameters[site.name + THRESHOLD]
        widest = np.maximum(start, np.float32(site.upper - site.lower))
        limits[site.name + THRESHOLD] = (np.float32(LEAST) * start, widest)
    return limits


TUNINGS.register("distill")(
    TuningMethod(
        "distill", "all layers together, towards the source's activations and outputs", tune
    )
)
