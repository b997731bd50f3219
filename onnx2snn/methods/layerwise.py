"""The walk with all stages: layer by layer, each sees the corrected spikes of the ones before.

At every population the stages act in this order: weights, threshold, initial potential, bias, and
the potential of every neuron last. Results that are no spikes have weights only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from onnx2snn.calibration.augmentation import NO_AUGMENTATION, with_mirrored
from onnx2snn.calibration.corrected import Corrected, by_layer
from onnx2snn.calibration.dataset import Dataset
from onnx2snn.calibration.pools import pool_train
from onnx2snn.calibration.populations import SIMULATIONS, averaged_integrate_fire, rows_of_window
from onnx2snn.calibration.signals import Array, Constant, Encode, Train
from onnx2snn.calibration.walker import View, Walk, bytes_per_sample
from onnx2snn.checkpoint import NOWHERE, Place
from onnx2snn.errors import ConfigError
from onnx2snn.methods.base import BIASES, POTENTIALS, THRESHOLDS, WEIGHTS, Calibrated, Refine
from onnx2snn.methods.planner import AUTO
from onnx2snn.methods.sampling import as_many
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig, Diagnostic, LayerCorrection, NeuronPlan, Progress
from onnx2snn.segment import Segment

#: What a walk may hold, in bytes; fewer samples are used where it would be more.
BUDGET = 2 << 30
READ_SIZE = 256

log = logging.getLogger("onnx2snn")


@dataclass(frozen=True)
class Layerwise:
    """What a walk found.

    Attributes:
        neurons: one for each site, in their order.
        corrections: of layers.
        errors: squared error of every population's mean output, relative to the activations'.
    """

    neurons: tuple[NeuronPlan, ...]
    corrections: tuple[LayerCorrection, ...]
    errors: Mapping[str, float]


def walks(config: ConversionConfig) -> bool:
    """Whether a stage needs the walk."""
    threshold = None if config.threshold == AUTO else THRESHOLDS.get(config.threshold).refine
    stages = (threshold, POTENTIALS.get(config.v_init).refine, BIASES.get(config.bias).refine)
    return WEIGHTS.get(config.weights).correct is not None or any(s is not None for s in stages)


def calibrate_layers(
    segments: Sequence[Segment],
    neurons: Sequence[NeuronPlan],
    dataset: Dataset,
    config: ConversionConfig,
    diagnostics: list[Diagnostic],
    progress: Progress | None = None,
    corrections: Iterable[LayerCorrection] = (),
    encoders: Mapping[str, Encode] = MappingProxyType({}),
    place: Place = NOWHERE,
) -> Layerwise:
    """Refine thresholds, potentials, biases and weights on the spikes that really arrive.

    Args:
        segments: the network, cut at its populations.
        neurons: the start, one for each site.
        dataset: calibration data.
        config: which stages.
        diagnostics: what the user should know.
        progress: called with the layer's name and error.
        corrections: of layers, made before.
        encoders: of what enters time as spikes, by name.
        place: where settled segments are kept; spikes of those are simulated again from what was
            found.

    Raises:
        ConfigError: the neuron model has no simulation here.
        CalibrationError: an activation is NaN or infinite.
        DataError: the data do not fit the model.
    """
    steps = _steps(config)
    inputs = read_inputs(dataset)
    if as_many(2, steps) < 2:  # copies cost as much again, and long windows have little to gain
        config = replace(config, augment=NO_AUGMENTATION)
    augmented = with_mirrored(inputs) if config.augment != NO_AUGMENTATION else inputs
    inputs = _within_budget(segments, augmented, steps, diagnostics)
    by_site = {n.site: n for n in neurons}
    walk = Walk(segments, inputs, config.timesteps, steps, encoders)
    walk.corrections.update(by_layer(corrections))
    twins = _twins(segments, inputs, by_site, config, encoders)
    settled: dict[str, NeuronPlan] = {}
    errors: dict[str, float] = {}
    for at, view in enumerate(walk):
        twin = next(twins)
        told = view.segment.name
        kept = place / str(at)
        if view.site is None:
            _settle_value(walk, view, config, kept)
        elif view.site.is_pool:
            neuron = by_site[view.site.name]
            walk.settle(view, pool_train(view, neuron, steps))
            settled[view.site.name] = neuron
        else:
            start = Work(view, view.site, by_site[told], twin=twin, seed=config.seed)
            work = _calibrated(start, config, kept)
            walk.settle(view, _train(work), work.corrections)
            settled[told], errors[told] = work.neuron, work.error
            told = f"{told}: error {100 * work.error:.2g} %"
        log.info("calibrated %s", told)
        if progress:
            progress(f"calibrate {told}", at + 1, len(segments))
    return Layerwise(
        neurons=tuple(settled.get(n.site, n) for n in neurons),
        corrections=_listed(walk.corrections),
        errors=errors,
    )


def _steps(config: ConversionConfig) -> int:
    if (config.neuron, config.reset) not in SIMULATIONS:
        known = ", ".join(f"{neuron} with reset {reset}" for neuron, reset in SIMULATIONS)
        raise ConfigError(
            f"calibration cannot simulate neuron '{config.neuron}' with reset '{config.reset}'",
            remedy=f"it knows {known}",
        )
    return rows_of_window(config.neuron, config.timesteps)


def read_inputs(dataset: Dataset) -> dict[str, Array]:
    """All samples, [N, ...] by the name of the input."""
    batches = list(dataset.batches(READ_SIZE))
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def _within_budget(
    segments: Sequence[Segment],
    inputs: dict[str, Array],
    steps: int,
    diagnostics: list[Diagnostic],
) -> dict[str, Array]:
    given = len(next(iter(inputs.values())))
    most = max(1, BUDGET // max(1, bytes_per_sample(segments, inputs, steps)))
    if given <= most:
        return inputs
    diagnostics.append(
        Diagnostic(
            "FEWER_SAMPLES",
            "info",
            "",
            f"layers are calibrated on {most} of {given} samples",
            f"the spikes of more would take over {BUDGET >> 30} GiB",
            "use fewer time steps",
        )
    )
    return {name: values[:most] for name, values in inputs.items()}


def _listed(corrections: Mapping[str, Corrected]) -> tuple[LayerCorrection, ...]:
    return tuple(LayerCorrection(n, c.weight, c.bias) for n, c in corrections.items())


def _calibrated(start: Work, config: ConversionConfig, place: Place) -> Work:
    """A population after all stages, or with what they found before."""
    known = place.recall(Calibrated)
    if known is not None:
        [neuron] = known.neurons
        return replace(start, neuron=neuron, corrections=by_layer(known.corrections))
    work = _stages(start, config)
    place.keep(Calibrated((work.neuron,), _listed(work.corrections)))
    return work


def _stages(work: Work, config: ConversionConfig) -> Work:
    """All stages of one population."""
    correct = WEIGHTS.get(config.weights).correct
    if correct is not None:
        corrections = correct(work.view, work, config)
        told = {**work.neuron.provenance, "weights": config.weights}
        neuron = replace(work.neuron, provenance=told) if corrections else work.neuron
        work = replace(work, corrections=corrections, neuron=neuron)
    own = config.threshold == AUTO or work.site.counts_answers
    threshold = None if own else THRESHOLDS.get(config.threshold).refine
    stages: tuple[Refine | None, ...] = (
        threshold,
        BIASES.get(config.bias).refine,
        POTENTIALS.get(config.v_init).refine,
    )
    for refine in stages:
        if refine is not None:
            work = refine(work, config)
    if config.augment != NO_AUGMENTATION:
        work = work.changed("augment", config.augment)
    return work


def _train(work: Work) -> Train:
    return Train(work.outcome.spikes, work.amplitude, work.site.lower)


def _settle_value(walk: Walk, view: View, config: ConversionConfig, place: Place) -> None:
    """An analog value: means over the window, behind corrected layers if it is a result."""
    correct = WEIGHTS.get(config.weights).correct
    corrections: Mapping[str, Corrected] = {}
    if correct is not None and view.segment.is_result:
        find = partial(correct, view, None, config)
        found = place.once(Calibrated, lambda: Calibrated((), _listed(find())))
        corrections = by_layer(found.corrections)
    value = view.means(corrections)[view.segment.output]
    walk.settle(view, Constant(value, walk.steps), corrections)


def _twins(
    segments: Sequence[Segment],
    inputs: Mapping[str, Array],
    neurons: Mapping[str, NeuronPlan],
    config: ConversionConfig,
    encoders: Mapping[str, Encode],
) -> Iterator[Array | None]:
    """Activations of a chain of averaged populations, segment by segment; None where not needed."""
    if config.threshold == AUTO or not THRESHOLDS.get(config.threshold).needs_twin:
        yield from (None for _ in segments)
        return
    walk = Walk(segments, inputs, config.timesteps, 1, encoders)
    for view in walk:
        if view.site is None:
            value = view.means()[view.segment.output]
            walk.settle(view, Constant(value, 1))
            yield None
        elif view.site.is_pool:
            walk.settle(view, pool_train(view, neurons[view.site.name], 1))
            yield None
        else:
            train = _averaged(view, neurons[view.site.name])
            walk.settle(view, train)
            yield train.mean(slice(None)) - np.float32(train.lower)


def _averaged(view: View, neuron: NeuronPlan) -> Train:
    assert view.site is not None
    assert neuron.threshold is not None
    assert neuron.amplitude is not None
    lower = np.float32(view.site.lower)
    parts = [
        averaged_integrate_fire(current - lower, neuron.threshold, neuron.v_init, view.timesteps)
        for _, current in view.currents()
    ]
    return Train(np.concatenate(parts, axis=1), neuron.amplitude, view.site.lower)
