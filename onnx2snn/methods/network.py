"""Calibration of a network: layer by layer, all layers together, or one after the other.

Where all are tuned together some samples are held out; the network as it was planned, after the
walk, and tuned are compared on them. So tuning is never worse than none, as far as they tell. A
network without gradients is calibrated layer by layer, as recipe ``regression`` does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from onnx2snn.calibration.dataset import Dataset
from onnx2snn.calibration.gradients.backward import NoGradientError
from onnx2snn.calibration.signals import Array, Encode
from onnx2snn.checkpoint import NOWHERE, Place
from onnx2snn.methods.base import TUNINGS, Calibrated
from onnx2snn.methods.forward import output_error, simulate_plan
from onnx2snn.methods.layerwise import calibrate_layers, read_inputs, walks
from onnx2snn.methods.recipe import CALIBRATED, RECIPES
from onnx2snn.plan import ConversionConfig, Diagnostic, LayerCorrection, NeuronPlan, Progress
from onnx2snn.segment import Segment

#: One of so many samples is held out, and no more than so many.
HELD, MOST_HELD = 8, 16

log = logging.getLogger("onnx2snn")


def calibrates(config: ConversionConfig) -> bool:
    """Whether a stage needs calibration data beyond statistics."""
    return walks(config) or TUNINGS.get(config.tuning).tune is not None


def calibrate(
    segments: Sequence[Segment],
    neurons: Sequence[NeuronPlan],
    dataset: Dataset,
    config: ConversionConfig,
    diagnostics: list[Diagnostic],
    progress: Progress | None = None,
    corrections: Sequence[LayerCorrection] = (),
    encoders: Mapping[str, Encode] = MappingProxyType({}),
    place: Place = NOWHERE,
) -> Calibrated:
    """All stages that look at what really arrives.

    Args:
        segments: the network, cut at its populations.
        neurons: the start, one for each site.
        dataset: calibration data.
        config: which stages.
        diagnostics: what the user should know.
        progress: called with the layer's name and error.
        corrections: of layers, made before.
        encoders: of what enters time as spikes, by name.
        place: where what was found is kept.

    Raises:
        ConfigError: the neuron model has no simulation here.
        CalibrationError: an activation is NaN or infinite.
        DataError: the data do not fit the model.
    """
    walk = partial(
        _walked,
        segments,
        neurons,
        config=config,
        diagnostics=diagnostics,
        progress=progress,
        corrections=corrections,
        encoders=encoders,
        place=place / "walk",
    )
    tune = TUNINGS.get(config.tuning).tune
    if tune is None:
        return walk(dataset)
    fitted, held = dataset.apart(min(MOST_HELD, len(dataset) // HELD), config.seed)
    found = {"start": Calibrated(tuple(neurons), tuple(corrections))}
    if walks(config):
        found["walk"] = walk(fitted)
    last = list(found.values())[-1]
    try:
        kept = place / "tuned"
        inputs, state = read_inputs(fitted), kept / "state"
        find = partial(tune, segments, last, inputs, config, progress, encoders, place=state)
        tuned = kept.once(Calibrated, find)
        found[config.tuning] = _told(tuned, config.tuning)
    except NoGradientError as error:
        diagnostics.append(
            Diagnostic("NOT_TUNED", "info", "", "layers are fitted one by one", str(error))
        )
        alone = config if walks(config) else _layer_by_layer(config)
        return walk(dataset, config=alone, place=place / "untuned")
    return _best(segments, found, read_inputs(held), config, encoders, diagnostics)


def _layer_by_layer(config: ConversionConfig) -> ConversionConfig:
    """The stages of recipe ``regression``, those that calibration is about."""
    stages = RECIPES.get("regression").chosen(
        {"neuron": config.neuron}, timesteps=config.timesteps, has_data=True
    )
    own = {k: v for k, v in stages.items() if k in CALIBRATED}
    return replace(config, **{"tuning": "none", **own})


def _walked(
    segments: Sequence[Segment],
    neurons: Sequence[NeuronPlan],
    dataset: Dataset,
    *,
    config: ConversionConfig,
    diagnostics: list[Diagnostic],
    progress: Progress | None,
    corrections: Sequence[LayerCorrection],
    encoders: Mapping[str, Encode],
    place: Place,
) -> Calibrated:
    found = calibrate_layers(
        segments, neurons, dataset, config, diagnostics, progress, corrections, encoders, place
    )
    return Calibrated(found.neurons, found.corrections)


def _told(tuned: Calibrated, by: str) -> Calibrated:
    """With a note of who tuned it in all populations that have thresholds."""
    neurons = (
        n if n.threshold is None else replace(n, provenance={**n.provenance, "tuning": by})
        for n in tuned.neurons
    )
    return replace(tuned, neurons=tuple(neurons))


def _best(
    segments: Sequence[Segment],
    found: Mapping[str, Calibrated],
    inputs: Mapping[str, Array],
    config: ConversionConfig,
    encoders: Mapping[str, Encode],
    diagnostics: list[Diagnostic],
) -> Calibrated:
    """The one with the least error on samples that none of them has seen."""
    simulate = partial(simulate_plan, segments, inputs=inputs, timesteps=config.timesteps)
    errors = {
        name: output_error(
            simulate(neurons=one.neurons, corrections=one.corrections, encoders=encoders)
        )
        for name, one in found.items()
    }
    best = min(errors, key=errors.__getitem__)
    told = ", ".join(f"{name} {100 * error:.3g} %" for name, error in errors.items())
    samples = len(next(iter(inputs.values())))
    diagnostics.append(
        Diagnostic(
            "CALIBRATIONS_COMPARED",
            "info",
            "",
            f"kept '{best}' of these: {told}",
            f"squared error of the results, relative to their variance, on {samples} samples",
        )
    )
    return found[best]
