"""ic-weights: the charge that would be left if every input fired at every step (IC-SNN, alg. 1).

T·(ΣW + b) mod θ for each neuron, averaged over the layer. The sum includes the amplitudes of the
inputs, and a bias at every step, since ours arrives so.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.methods.base import POTENTIALS, PotentialMethod
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig


def refine(work: Work, config: ConversionConfig) -> Work:
    """One share of the threshold for the whole layer."""
    drive = np.float32(work.timesteps) * (work.view.saturated() - np.float32(work.site.lower))
    share = np.mean(np.mod(drive, work.threshold) / work.threshold, dtype=np.float64)
    return work.changed("v_init", "ic-weights", v_init=work.threshold * np.float32(share))


POTENTIALS.register("ic-weights")(
    PotentialMethod("ic-weights", "from the weights alone (IC-SNN, algorithm 1)", 0.0, refine)
)
