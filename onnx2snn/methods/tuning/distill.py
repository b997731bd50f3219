"""distill: all weights, thresholds and biases descend together towards the source's activations.

Every step simulates a batch through time. For averaged and signed neurons its backward pass is that
of means over the window, the floor's derivative taken as one (straight-through, as Li 2021 does
layer by layer): gradients of rates cost one pass, not T. Plain neurons cannot take back what they
fired too early, which means do not see: in short windows theirs goes back through time, and tunes
the initial potentials too (:mod:`onnx2snn.calibration.slopes`).

The source is the teacher, so labels are not needed, and images may be mirrored and shifted
(``augment``). In every step some neurons answer without spikes (QDrop, Wei et al. 2022): what is
learned depends less on how single values were rounded.

Steps are those of :mod:`onnx2snn.calibration.optimizer`; they rise and fall as a cosine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import cos, isfinite, pi

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.augmentation import NO_AUGMENTATION, flipped_and_cropped
from onnx2snn.calibration.descent import Descent, Observation
from onnx2snn.calibration.gradients.backward import NoGradientError
from onnx2snn.calibration.optimizer import Optimizer, State
from onnx2snn.calibration.populations import rows_of_window
from onnx2snn.calibration.runnable import Runnable, source_network
from onnx2snn.calibration.signals import Array, Encode
from onnx2snn.calibration.tunable import POTENTIAL, THRESHOLD, WEIGHT, TunableNetwork
from onnx2snn.checkpoint import NOWHERE, Place
from onnx2snn.methods.base import TUNINGS, Calibrated, TuningMethod
from onnx2snn.methods.forward import observe_plan
from onnx2snn.methods.layerwise import BUDGET
from onnx2snn.plan import ConversionConfig, NeuronPlan, Progress
from onnx2snn.segment import Segment

BATCH = 16
#: What a step holds of every neuron for each row of the backward pass: its answer, its slopes, and
#: gradients.
BYTES = 32
#: What is spent on all steps, in multiply-accumulates, and limits of their number.
WORK, FEWEST, MOST = 3.9e12, 40, 600
#: What the teacher and a row of the backward pass cost, in passes of a step's simulation.
TEACHER, BACKWARD = 1, 3
#: In longer windows plain neurons go back through means too.
LONGEST = 8
#: The largest step, as a share of a parameter's size.
RATE = 0.022
#: Share of all steps in which the rate rises.
WARM = 0.1
#: Share of neurons that answer their current as it is, in every step others.
UNROUNDED = 0.2
#: Thresholds stay above this share of where they began.
LEAST = 0.05
#: Between what shares of the threshold potentials start.
POTENTIALS = np.full(1, -1, np.float32), np.full(1, 1.5, np.float32)


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
    rows = _rows(segments, config)
    network = TunableNetwork(segments, start.neurons, start.corrections, rows)

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
            in_time=rows > 1,
        )

    samples = len(next(iter(inputs.values())))
    source = source_network(segments)
    size = min(BATCH, samples, _most(source, inputs, config, rows))
    first = {name: values[:size] for name, values in inputs.items()}
    descent = Descent(network, source, inputs, observe(first, 0))
    optimizer = _optimizer(network, place.recall(State))
    work = size * _passes(config, rows) * descent.work + optimizer.work
    steps = round(min(MOST, max(FEWEST, WORK / work)))
    rng = np.random.default_rng(config.seed)
    for step, chosen in enumerate(_batches(samples, size, steps, config.seed)):
        batch = {name: values[chosen] for name, values in inputs.items()}
        if config.augment != NO_AUGMENTATION:
            batch = flipped_and_cropped(batch, rng)
        if step < optimizer.state.steps:  # before an interruption; the draws must be the same
            continue
        loss, gradients = descent(batch, observe(batch, step))
        if not isfinite(loss):
            raise NoGradientError("the network's answers are not finite")
        warm = min(1.0, (step + 1) / (WARM * steps + 1))
        optimizer.step(gradients, RATE * warm * (1 + cos(pi * step / steps)) / 2)
        place.keep(optimizer.state)
        if progress:
            progress(f"tune all layers: loss {loss:.3g}", step + 1, steps)
    network.parameters.update(optimizer.state.means)
    return Calibrated(_told(network), network.tuned_corrections())


def _told(network: TunableNetwork) -> tuple[NeuronPlan, ...]:
    """The populations, with a note of who set their potentials, if those were tuned."""
    return tuple(
        replace(n, provenance={**n.provenance, "v_init": "distill"})
        if n.site + POTENTIAL in network.parameters
        else n
        for n in network.tuned_neurons()
    )


def _rows(segments: Sequence[Segment], config: ConversionConfig) -> int:
    """Of the backward pass: T, or 1 with means.

    Analog parts between populations hear means, so a graph of single steps is not theirs.
    """
    made = {s.target for s in segments if s.site is not None}
    hear = any(made.intersection(s.inputs) for s in segments if s.site is None and not s.is_result)
    in_time = not hear and (config.neuron, config.reset) == ("if", "subtract")
    return config.timesteps if in_time and config.timesteps <= LONGEST else 1


def _passes(config: ConversionConfig, rows: int) -> int:
    """What a step costs, in forward passes."""
    return rows_of_window(config.neuron, config.timesteps) + TEACHER + BACKWARD * rows


def _most(
    source: Runnable, inputs: Mapping[str, Array], config: ConversionConfig, rows: int
) -> int:
    """Samples whose neurons fit into memory at once; spikes take a byte each."""
    one = source.run({name: values[:1] for name, values in inputs.items()})
    neuron = rows_of_window(config.neuron, config.timesteps) + BYTES * rows
    return max(1, BUDGET // (neuron * sum(value.size for value in one.values())))


def _batches(samples: int, size: int, steps: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of every batch: each epoch in an order of its own, what is left over dropped."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        place = step % (samples // size)
        if place == 0:
            order = rng.permutation(samples)
        yield order[place * size : (place + 1) * size]


def _optimizer(network: TunableNetwork, state: State | None) -> Optimizer:
    known = network.parameters
    weights = {name for name in known if name.endswith(WEIGHT)}
    return Optimizer(known, weights, _scales(known), _limits(network), state)


def _scales(parameters: Mapping[str, Array]) -> dict[str, Array]:
    """The size of a parameter: of weights their layer's, of populations' their threshold.

    Potentials are shares of it.
    """
    scales = {}
    for name in parameters:
        owner = name.rpartition("/")[0]
        if name.endswith(POTENTIAL):
            scales[name] = np.ones(1, np.float32)
        elif owner + THRESHOLD in parameters:
            scales[name] = parameters[owner + THRESHOLD].copy()
        else:
            mean = np.mean(np.square(parameters[owner + WEIGHT]), dtype=np.float64)
            scales[name] = np.sqrt(mean, dtype=np.float32)
    return scales


def _limits(network: TunableNetwork) -> dict[str, tuple[Array, Array]]:
    """Between what thresholds and potentials must stay."""
    limits = {n: POTENTIALS for n in network.parameters if n.endswith(POTENTIAL)}
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
