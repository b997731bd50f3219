"""calibrate-sgd: gradient descent on the error of the rate code (Li 2021, eq. 17 and 18).

The output is computed from mean inputs, as clip(floor((T·z + v_init)/θ), 0, T)·θ/T, and the floor's
derivative is taken as one where nothing is clipped. Momentum 0.9, a step that falls as a cosine;
its size is measured against the curvature, for which Li's 1e-5 stands on their networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi

import numpy as np

from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.regression import Regression
from onnx2snn.calibration.walker import View
from onnx2snn.methods.base import WEIGHTS, WeightMethod
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

ITERATIONS = 150
BATCH = 2048
MOMENTUM = 0.9
#: The first step, as a share of the largest that is stable without momentum.
STEP = 0.1


def correct(view: View, work: Work | None, config: ConversionConfig) -> Mapping[str, Corrected]:
    """All layers in front of a population, one after the other; results are left alone."""
    corrections: dict[str, Corrected] = {}
    for layer in view.segment.layers if work is not None else ():
        old = view.weights(layer)
        if view.is_exact or not Regression.fits(layer, old.weight):
            continue
        assert work is not None
        means = view.means(corrections)
        now = means[view.segment.error]
        rng = np.random.default_rng(config.seed)
        problem = Regression(layer, old.weight, means[layer.source], now.shape, rng, 0.0)
        corrections[layer.node] = problem.corrected(old, _descend(problem, work, now, rng))
    return corrections


def _descend(problem: Regression, work: Work, now: Array, rng: np.random.Generator) -> Array:
    """The correction of one layer."""
    wanted, given = problem.sample(work.wanted), problem.sample(now)
    lower = np.float32(work.site.lower)
    theta, v_init, amplitude = (
        problem.sample(np.broadcast_to(a, now.shape))
        for a in (work.threshold, work.neuron.v_init, work.amplitude)
    )
    correction = 0 * problem.gradient(wanted[:1], slice(0, 1))
    speed = np.zeros_like(correction)
    largest = STEP / max(problem.steepness(), 1e-12)
    for i in range(ITERATIONS):
        low = int(rng.integers(0, max(1, len(wanted) - BATCH + 1)))
        rows = slice(low, low + BATCH)
        z = given[rows] + problem.effect(correction, rows) - lower
        levels = np.floor((work.timesteps * z + v_init[rows]) / theta[rows])
        rate = np.clip(levels, 0, work.timesteps) / np.float32(work.timesteps)
        error = wanted[rows] - rate * amplitude[rows]
        error[(levels < 0) | (levels > work.timesteps)] = 0.0
        step = largest * (1 + cos(pi * i / ITERATIONS)) / 2
        speed = np.float32(MOMENTUM) * speed + problem.gradient(error, rows)
        correction = correction + np.float32(step) * speed
    return correction


WEIGHTS.register("calibrate-sgd")(
    WeightMethod("calibrate-sgd", "straight-through gradient descent (Li 2021)", correct)
)
