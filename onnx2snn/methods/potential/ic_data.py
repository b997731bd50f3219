"""ic-data: the mean charge that is left after the window (IC-SNN, algorithm 2).

θ·N = Σ I + v(0) − v(T), so v(0) = mean v(T) makes the mean error vanish, to first order. Neurons
that never fired, or ended outside [0, θ], would dominate the mean and are left out.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.methods.base import POTENTIALS, PotentialMethod
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig


def residue(work: Work) -> Array:
    """Mean final potential for each channel, or for the layer where thresholds are the layer's."""
    steps = np.float32(work.timesteps)
    outcome = work.outcome
    final = work.neuron.v_init + steps * (outcome.drive - work.threshold * outcome.rate)
    counted = (outcome.rate > 0) & (final >= 0) & (final <= work.threshold)
    axes = (0, *range(2, final.ndim)) if work.threshold.size > 1 else None
    number = counted.sum(axis=axes, keepdims=True)
    total = (final * counted).sum(axis=axes, keepdims=True, dtype=np.float64)
    mean = (total / np.maximum(number, 1)).astype(np.float32)
    found: Array = np.where(number > 0, mean, work.threshold.mean() / 2)[0]
    return np.minimum(found, work.threshold).astype(np.float32)


def refine(work: Work, config: ConversionConfig) -> Work:
    """The residue of a window that begins at zero."""
    return work.changed("v_init", "ic-data", v_init=residue(work))


POTENTIALS.register("ic-data")(
    PotentialMethod("ic-data", "mean residue on the data (IC-SNN, algorithm 2)", 0.0, refine)
)
