"""Which recipe is best for a network: some are tried on a part of the data, and judged on another.

A recipe that fits much, such as ``regression``, can lose where there are few samples; others fail
on networks that they do not suit. The winner's stages are then taken with all samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.dataset import Dataset
from onnx2snn.calibration.signals import Array, Encode
from onnx2snn.calibration.walker import bytes_per_sample
from onnx2snn.checkpoint import NOWHERE, Place
from onnx2snn.methods import layerwise
from onnx2snn.methods.forward import agreement, output_error, simulate_plan
from onnx2snn.methods.layerwise import calibrate_layers, walks
from onnx2snn.methods.planner import plan_neurons
from onnx2snn.methods.recipe import CALIBRATED, RECIPES, Recipe
from onnx2snn.methods.sampling import as_many
from onnx2snn.plan import (
    ActivationSite,
    ConversionConfig,
    Diagnostic,
    LayerCorrection,
    NeuronPlan,
    Progress,
)
from onnx2snn.segment import Segment

#: By output: what the source answers, and what a plan does.
Results: TypeAlias = Mapping[str, tuple[Array, Array]]

#: Samples that recipes are tried on, and as many that they are judged on, at most; fewer in long
#: windows.
TRIED = 64
#: Fewer samples are not divided.
LEAST = 4


@dataclass(frozen=True)
class Score:
    """How a recipe did on samples that it was not calibrated on.

    Attributes:
        recipe: its name.
        agreement: share of samples with the source's class.
        error: squared error of the outputs, relative to their variance.
        samples: how many they were.
    """

    recipe: str
    agreement: float
    error: float
    samples: int


def contenders(config: ConversionConfig) -> dict[str, ConversionConfig]:
    """By name, what may take the place of the stages in ``config``; nothing where those are given.

    Only stages that calibration is about differ.
    """
    recipe = RECIPES.get(config.recipe)
    own = {k: v for k, v in recipe.stages_with_data.items() if k in CALIBRATED}
    if not own or any(getattr(config, k) != v for k, v in own.items()):
        return {}
    plain = {k: getattr(ConversionConfig(), k) for k in own}
    return {
        name: replace(config, **(plain | _calibrated(RECIPES.get(name)))) for name in recipe.contest
    }


def _calibrated(recipe: Recipe) -> dict[str, Any]:
    return {k: v for k, v in recipe.stages.items() if k in CALIBRATED}


def hold_contest(
    segments: Sequence[Segment],
    sites: Sequence[ActivationSite],
    statistics: Mapping[str, SiteStatistics],
    dataset: Dataset,
    config: ConversionConfig,
    progress: Progress | None = None,
    encoders: Mapping[str, Encode] = MappingProxyType({}),
    place: Place = NOWHERE,
) -> tuple[ConversionConfig, tuple[Score, ...]]:
    """The configuration of the best recipe, and how all did, best first.

    The best has the smallest error of those that agree with the source on most samples; shares that
    differ by no more than chance are equal.

    Args:
        segments: the network, cut at its populations.
        sites: where the populations stand.
        statistics: of their activations.
        dataset: calibration data.
        config: whose stages are in question.
        progress: called with the recipe's name.
        encoders: of what enters time as spikes, by name.
        place: where scores are kept, and what was found of a recipe that has none yet.

    Raises:
        CalibrationError: an activation is NaN or infinite.
        DataError: the data do not fit the model.
    """
    known = contenders(config)
    if len(dataset) < LEAST or len(known) < 2:
        return config, ()
    most = 2 * max(LEAST, as_many(TRIED, config.timesteps))
    divided = dataset.subset(most, config.seed)
    tried, judged = divided.apart(len(divided) // 2, config.seed)
    scores = []
    for at, (name, candidate) in enumerate(known.items()):
        if progress:
            progress(f"try {name}", at + 1, len(known))
        start, _ = plan_neurons(sites, statistics, candidate, [])
        kept = place / name
        attempt = partial(_score, name, segments, start, tried, judged, candidate, encoders, kept)
        scores.append(kept.once(Score, attempt))
    ranked = best_first(scores)
    return known[ranked[0].recipe], ranked


def best_first(scores: Sequence[Score]) -> tuple[Score, ...]:
    """By error, those last whose agreement is clearly worse than the best one.

    Clearly is by more than two standard errors of the best share, one sample of either kind added:
    a few samples that all agree say little.
    """
    best = max(s.agreement for s in scores)
    samples = scores[0].samples
    share = (best * samples + 1) / (samples + 2)
    chance = 2 * sqrt(share * (1 - share) / samples)
    return tuple(sorted(scores, key=lambda s: (s.agreement < best - chance, s.error)))


def _score(
    name: str,
    segments: Sequence[Segment],
    start: Sequence[NeuronPlan],
    tried: Dataset,
    judged: Dataset,
    config: ConversionConfig,
    encoders: Mapping[str, Encode],
    place: Place,
) -> Score:
    """How a recipe does that is calibrated on some samples and judged on others."""
    neurons = start
    corrections: tuple[LayerCorrection, ...] = ()
    if walks(config):
        found = calibrate_layers(segments, start, tried, config, [], encoders=encoders, place=place)
        neurons, corrections = found.neurons, found.corrections
    results = _answers(segments, neurons, corrections, judged, config, encoders)
    return Score(name, agreement(results), output_error(results), len(judged))


def report(scores: Sequence[Score]) -> Diagnostic:
    """Who won, and by how much."""
    told = (f"{s.recipe} {100 * s.agreement:.1f} % ({100 * s.error:.2g} %)" for s in scores)
    return Diagnostic(
        "RECIPE_CHOSEN",
        "info",
        "",
        f"the stages of recipe {scores[0].recipe} are taken",
        f"agreement with the source (error of outputs) on {scores[0].samples} calibration samples "
        "held out: " + ", ".join(told),
        "--recipe takes another",
    )


def _answers(
    segments: Sequence[Segment],
    neurons: Sequence[NeuronPlan],
    corrections: Sequence[LayerCorrection],
    dataset: Dataset,
    config: ConversionConfig,
    encoders: Mapping[str, Encode],
) -> Results:
    """What the source and the plan answer to all samples, as many at once as memory allows."""
    one = next(iter(dataset.batches(1)))
    at_once = max(1, layerwise.BUDGET // bytes_per_sample(segments, one, config.timesteps))
    parts = [
        simulate_plan(segments, neurons, corrections, inputs, config.timesteps, encoders)
        for inputs in dataset.batches(at_once)
    ]
    return {
        name: (
            np.concatenate([part[name][0] for part in parts]),
            np.concatenate([part[name][1] for part in parts]),
        )
        for name in parts[0]
    }
