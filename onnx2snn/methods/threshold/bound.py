"""bound: the upper bound of a Clip (6 for ReLU6). No data needed."""

from __future__ import annotations

from math import isfinite

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """The width of the clipped range, one value for the layer."""
    return np.array([site.upper - site.lower]) if isfinite(site.upper) else None


THRESHOLDS.register("bound")(
    ThresholdMethod(
        "bound",
        "upper bound of the activation function",
        "bounded activations (Clip, ReLU6)",
        needs_data=False,
        depends_on_timesteps=False,
        compute=compute,
    )
)
