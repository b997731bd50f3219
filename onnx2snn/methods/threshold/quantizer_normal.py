"""quantizer-normal: the best threshold for T levels, from the range of the model's quantizer alone.

The end of a quantizer's range is about the largest activation that was seen when it was made. A
threshold there clips nothing, but wastes most of a short window's levels on values that hardly
ever occur. So the activations are taken as normal around zero, cut at zero, with the end of the
range at RANGE standard deviations; for that distribution the threshold of least squared error for
T levels is known (see ``gaussian``). It grows with T towards the end of the range.

Some 10^6 normal numbers reach five standard deviations, and real activations have heavier tails:
of 5 to 8, seven and eight did best on int8 networks, seven without harm to a shallow one
(``benchmarks/quantizer_range.py``).
"""

from __future__ import annotations

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import POTENTIALS, THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.methods.threshold.gaussian import MOST_LEVELS, best_thresholds
from onnx2snn.plan import ActivationSite, ConversionConfig

#: The end of a quantizer's range, in standard deviations.
RANGE = 7.0


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """One value for the layer, below the end of the range."""
    if site.scale is None:
        return None
    end = np.array([site.upper - site.lower])
    levels = min(config.timesteps, MOST_LEVELS)
    rounding = POTENTIALS.get(config.v_init).fraction
    best: Vector = best_thresholds(np.zeros(1), end / RANGE, levels, rounding)
    threshold: Vector = np.minimum(best, end)
    return threshold


THRESHOLDS.register("quantizer-normal")(
    ThresholdMethod(
        "quantizer-normal",
        "least squared error for T levels of a normal distribution in the quantizer's range",
        "a quantized model",
        needs_data=False,
        depends_on_timesteps=True,
        compute=compute,
    )
)
