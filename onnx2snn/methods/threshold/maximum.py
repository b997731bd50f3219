"""max: the largest activation on the data (Diehl 2015, Rueckauer 2017). Nothing is clipped."""

from __future__ import annotations

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """The maximum per channel, or over the layer."""
    if statistics is None:
        return None
    top = statistics.maximum
    return top if config.granularity == "channel" else top.max(keepdims=True)


THRESHOLDS.register("max")(
    ThresholdMethod(
        "max",
        "largest activation on the data (Rueckauer 2017)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=compute,
    )
)
