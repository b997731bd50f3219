"""calibrate-ls: ridge regression of the source's pre-activations on the mean spikes that arrive.

What the layer shall add is the pre-activation less the shortcut current that really arrives. Where
both are negative the neuron is silent either way: no error. Where errors vanish that way depends on
the solution, hence the sweeps, which cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.calibration.regression import Regression
from onnx2snn.calibration.walker import Corrected, View
from onnx2snn.methods.base import WEIGHTS, WeightMethod
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

#: λ, in units of the mean diagonal.
RIDGE = 0.3
SWEEPS = 4


def correct(view: View, work: Work | None, config: ConversionConfig) -> Mapping[str, Corrected]:
    """All layers in front of the population or the result, one after the other."""
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
        corrections[layer.node] = problem.corrected(old, _fit(problem, wanted, given, floor))
    return corrections


def _fit(problem: Regression, wanted: Array, given: Array, floor: np.float32 | None) -> Array:
    """The correction that brings what is given to what is wanted, above the floor."""
    total = problem.solve(_error(wanted, given, floor))
    for _ in range(SWEEPS - 1 if floor is not None else 0):
        error = _error(wanted, given + problem.effect(total), floor)
        total = total + problem.solve(error, before=total)
    return total


def _error(wanted: Array, given: Array, floor: np.float32 | None) -> Array:
    error = wanted - given
    if floor is not None:
        error[(wanted < floor) & (given < floor)] = 0.0
    return error


WEIGHTS.register("calibrate-ls")(
    WeightMethod("calibrate-ls", "ridge regression on the spikes that arrive", correct)
)
