"""ic-compensated: the residue on the data, with compensation of the code (IC-SNN, algorithm 3).

The window begins at θ/(2T), the residue is measured as in algorithm 2, and θ/(2T) is added again.
As a potential θ/(2T) is T times less than ``half``.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.methods.base import POTENTIALS, PotentialMethod
from onnx2snn.methods.potential.ic_data import residue
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig


def refine(work: Work, config: ConversionConfig) -> Work:
    """The residue of a compensated window, compensated."""
    extra = work.threshold / np.float32(2 * work.timesteps)
    start = work.changed("v_init", "ic-compensated", v_init=extra)
    return start.changed("v_init", "ic-compensated", v_init=residue(start) + extra)


POTENTIALS.register("ic-compensated")(
    PotentialMethod(
        "ic-compensated", "mean residue, compensated (IC-SNN, algorithm 3)", 0.0, refine
    )
)
