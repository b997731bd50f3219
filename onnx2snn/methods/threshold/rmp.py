"""rmp: the largest mean current that spikes deliver (after Han 2020).

With a soft reset only the mean over the window decides how often a neuron fires, so the largest
current of a single step (spike-norm) is far too careful: Han scales it down by the activity of
inputs and outputs. The largest mean current is what that scaling aims at: no rate is clipped.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod
from onnx2snn.methods.threshold import maximum
from onnx2snn.methods.threshold.spike_norm import largest, scaled
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig


def refine(work: Work, config: ConversionConfig) -> Work:
    """The maximum over samples and places of the mean over the window."""
    tops = [largest(current.mean(axis=0, keepdims=True), work) for _, current in work.currents()]
    top = np.maximum.reduce(tops)
    return scaled(work, np.where(top > 0, top, work.threshold))


THRESHOLDS.register("rmp")(
    ThresholdMethod(
        "rmp",
        "largest mean current, layer by layer (after Han 2020)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=maximum.compute,
        refine=refine,
    )
)
