"""calibrate: the mean output of every channel is that of the source (Li 2021, eq. 14).

The mean error over samples and places is added to the bias. Neurons that are silent or saturated do
not answer to it, so what is left is added again, as long as the squared error shrinks.
"""

from __future__ import annotations

from onnx2snn.methods.base import BIASES, BiasMethod
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig

ROUNDS = 2


def refine(work: Work, config: ConversionConfig) -> Work:
    """The better of the population as it is and the one with means corrected."""
    for _ in range(ROUNDS):
        shifted = work.with_bias("bias", "calibrate", work.per_channel(work.missing))
        if shifted.error >= work.error:
            break
        work = shifted
    return work


BIASES.register("calibrate")(
    BiasMethod(
        "calibrate", "the mean error of each channel, layer by layer (Li 2021)", refine=refine
    )
)
