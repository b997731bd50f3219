"""percentile: almost the largest activation on the data (robust normalisation, Rueckauer 2017)."""

from __future__ import annotations

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """The percentile per channel, or over the layer."""
    if statistics is None:
        return None
    if config.granularity == "channel":
        return statistics.percentile
    return np.array([statistics.layer_percentile])


THRESHOLDS.register("percentile")(
    ThresholdMethod(
        "percentile",
        "the 99.9th or another percentile on the data (Rueckauer 2017)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=compute,
    )
)
