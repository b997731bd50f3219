"""calibrate-ls: ridge regression of the source's pre-activations on the mean spikes that arrive.

What the layer shall add is the pre-activation less the shortcut current that really arrives. Where
both are negative the neuron is silent either way: no error. Where errors vanish that way depends on
the solution, hence the sweeps, which cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.regression import Regression
from onnx2snn.calibration.walker import View
from onnx2snn.methods.base import WEIGHTS, WeightMethod
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

#: From a layer's problem, what is wanted, what is given and the floor to its correction.
Solve: TypeAlias = Callable[[Regression, Array, Array, "np.float32 | None"], Array]

#: λ, in units of the mean diagonal.
RIDGE = 0.3
SWEEPS = 4


def correct(view: View, work: Work | None, config: ConversionConfig) -> Mapping[str, Corrected]:
    """All layers in front of the population or the result, one after the other."""
    return correct_layers(view, work, config, fit)


def correct_layers(
    view: View, work: Work | None, config: ConversionConfig, solve: Solve
) -> Mapping[str, Corrected]:
    """All layers of a segment, each with the correction that ``solve`` finds."""
    corrections: dict[str, Corrected] = {}
    floor = None if work is None else np.float32(work.site.lower)
    for layer in view.segment.layers:
        old = view.weights(layer)
        if view.is_exact or not Regression.fits(layer, old.weight):
            continue
        means = view.means(corrections)
        now = means[view.segment.error]
        rng = np.random.default_rng(config.seed)
        problem = Regression(layer, old.weight, means[layer.source], now.shape, rng, RIDGE)
        wanted, given = problem.sample(view.judged), problem.sample(now)
        corrections[layer.node] = problem.corrected(old, solve(problem, wanted, given, floor))
    return corrections


def fit(problem: Regression, wanted: Array, given: Array, floor: np.float32 | None) -> Array:
    """The correction that brings what is given to what is wanted, above the floor."""
    total = problem.solve(missing(wanted, given, floor))
    for _ in range(SWEEPS - 1 if floor is not None else 0):
        error = missing(wanted, given + problem.effect(total), floor)
        total = total + problem.solve(error, before=total)
    return total


def missing(wanted: Array, given: Array, floor: np.float32 | None) -> Array:
    """What is missing, but for where both are silent."""
    error = wanted - given
    if floor is not None:
        error[(wanted < floor) & (given < floor)] = 0.0
    return error


WEIGHTS.register("calibrate-ls")(
    WeightMethod("calibrate-ls", "ridge regression on the spikes that arrive", correct)
)
