"""calibrate-cv: calibrate-ls, with the strength of the ridge chosen layer by layer.

Few time steps make noisy inputs, on which few samples are soon learned by heart: how far weights
may go differs between layers and windows. A quarter of the samples tells (cross-validation): the
strength with the least error there is taken for a fit on all of them, or the layer stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from onnx2snn.calibration.augmentation import NO_AUGMENTATION
from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.regression import Regression
from onnx2snn.calibration.walker import View
from onnx2snn.methods.base import WEIGHTS, WeightMethod
from onnx2snn.methods.weights.calibrate_ls import correct_layers, fit, missing
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

#: λ, in units of the mean diagonal.
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0)
#: One of so many samples is held out.
HELD = 4
#: An augmented sample and its copies are neighbours, which are held out together.
COPIES = 2


def correct(view: View, work: Work | None, config: ConversionConfig) -> Mapping[str, Corrected]:
    """All layers in front of the population or the result, one after the other."""
    together = 1 if config.augment == NO_AUGMENTATION else COPIES
    return correct_layers(view, work, config, partial(chosen, together=together))


def chosen(
    problem: Regression,
    wanted: Array,
    given: Array,
    floor: np.float32 | None,
    *,
    together: int = 1,
) -> Array:
    """The correction of the best strength; zero where none is better than none.

    Args:
        problem: the layer's regression.
        wanted: [rows, C] the source's currents.
        given: [rows, C] those that arrive.
        floor: currents below it are all alike; None where there is no such bound.
        together: so many neighbouring samples are held out together.
    """
    held = problem.places[0] // together % HELD == HELD - 1
    if not held.any() or held.all():
        return fit(problem, wanted, given, floor)
    start = missing(wanted[held], given[held], floor)
    least, best = float(np.square(start, dtype=np.float64).sum()), None
    part = problem.of_rows(~held)
    for ridge in RIDGES:
        correction = fit(part.with_ridge(ridge), wanted[~held], given[~held], floor)
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
