"""quantizer: the upper end of the model's own activation quantizer. No data needed."""

from __future__ import annotations

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """scale·(q_max − zero_point), one value for the layer."""
    if site.scale is None:
        return None
    return np.array([site.upper - site.lower])


THRESHOLDS.register("quantizer")(
    ThresholdMethod(
        "quantizer",
        "upper end of the model's own activation quantizer",
        "a quantized model",
        needs_data=False,
        depends_on_timesteps=False,
        compute=compute,
    )
)
