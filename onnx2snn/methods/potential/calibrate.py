"""calibrate: an initial potential for every neuron that brings its mean output to the source's.

T times the mean error over the samples (Li 2021, eq. 16), half of it: a mean of few samples is
noisy, and neurons that are silent or saturated do not answer. Kept where the squared error shrinks.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.methods.base import POTENTIALS, PotentialMethod
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig

SHARE = 0.5


def refine(work: Work, config: ConversionConfig) -> Work:
    """The better of the population as it is and the one with potentials of its own."""
    mean = work.missing.mean(axis=0, dtype=np.float64)
    potential = work.neuron.v_init + np.float32(SHARE * work.timesteps) * mean.astype(np.float32)
    moved = work.changed("v_init", "calibrate", v_init=potential.astype(np.float32))
    return work.if_better(moved)


POTENTIALS.register("calibrate")(
    PotentialMethod("calibrate", "per neuron, from its mean error (Li 2021)", 0.5, refine)
)
