"""calibrate: the mean output of every channel is that of the source (Li 2021, eq. 14).

The mean error over samples and places is added to the bias, where that makes the squared error
smaller: neurons that are silent or saturated do not answer to it.
"""

from __future__ import annotations

from onnx2snn.methods.base import BIASES, BiasMethod
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig


def refine(work: Work, config: ConversionConfig) -> Work:
    """The better of the population as it is and the one with means corrected."""
    return work.if_better(work.with_bias("bias", "calibrate", work.per_channel(work.missing)))


BIASES.register("calibrate")(
    BiasMethod(
        "calibrate", "the mean error of each channel, layer by layer (Li 2021)", refine=refine
    )
)
