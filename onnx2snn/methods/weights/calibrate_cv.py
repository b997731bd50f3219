"""calibrate-cv: calibrate-ls, with the strength of the ridge chosen layer by layer.

Few time steps make noisy inputs, on which few samples are soon learned by heart: how far weights
may go differs between layers and windows. A quarter of the samples tells (cross-validation): the
strength with the least error there is taken for a fit on all of them, or the layer stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.calibration.regression import Regression
from onnx2snn.calibration.walker import Corrected, View
from onnx2snn.methods.base import WEIGHTS, WeightMethod
from onnx2snn.methods.weights.calibrate_ls import correct_layers, fit, missing
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

#: λ, in units of the mean diagonal.
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0)
#: One of so many pairs of samples is held out.
HELD = 4
#: Neighbours are held out together: they may be an image and its mirrored copy.
TOGETHER = 2
#: Solutions to compare strengths may be rough.
ROUGH = 2


def correct(view: View, work: Work | None, config: ConversionConfig) -> Mapping[str, Corrected]:
    """All layers in front of the population or the result, one after the other."""
    return correct_layers(view, work, config, chosen)


def chosen(problem: Regression, wanted: Array, given: Array, floor: np.float32 | None) -> Array:
    """The correction of the best strength; zero where none is better than none."""
    held = problem.places[0] // TOGETHER % HELD == HELD - 1
    if not held.any() or held.all():
        return fit(problem, wanted, given, floor)
    start = missing(wanted[held], given[held], floor)
    least, best = float(np.square(start, dtype=np.float64).sum()), None
    part = problem.of_rows(~held)
    for ridge in RIDGES:
        correction = fit(part.with_ridge(ridge), wanted[~held], given[~held], floor, ROUGH)
        effect = problem.effect(correction, held)
        left = missing(wanted[held], given[held] + effect, floor)
        error = float(np.square(left, dtype=np.float64).sum())
        if error < least:
            least, best = error, ridge
    if best is None:
        return np.zeros_like(problem.solve(0 * wanted))
    return fit(problem.with_ridge(best), wanted, given, floor)


WEIGHTS.register("calibrate-cv")(
    WeightMethod(
        "calibrate-cv", "ridge regression, its strength chosen on held-out samples", correct
    )
)
