"""calibrate: an initial potential for every neuron that brings its mean output to the source's.

T times the mean error over the samples (Li 2021, eq. 16). A neuron's mean of few samples is mostly
noise, the mean of its channel hardly; so each neuron's is drawn towards its channel's, by the share
of the spread between neurons that their noise explains (James and Stein). Where a channel is one
neuron, the layer stands for it. Kept where the squared error shrinks.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.methods.base import POTENTIALS, PotentialMethod
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig


def refine(work: Work, config: ConversionConfig) -> Work:
    """The better of the population as it is and the one with potentials of its own."""
    potential = work.neuron.v_init + np.float32(work.timesteps) * mean_errors(work.missing)
    moved = work.changed("v_init", "calibrate", v_init=potential.astype(np.float32))
    return work.if_better(moved)


def mean_errors(missing: Array) -> Array:
    """[...]: what each neuron misses on average, from [N, ...] and what its neighbours miss.

    Args:
        missing: the source's activations less the population's, for N samples.
    """
    means = missing.mean(axis=0, dtype=np.float64)
    noise = missing.var(axis=0, dtype=np.float64) / max(len(missing) - 1, 1)
    neighbours = tuple(range(1, means.ndim)) or None
    common = means.mean(axis=neighbours, keepdims=True)
    spread = np.square(means - common).mean(axis=neighbours, keepdims=True)
    noisy = noise.mean(axis=neighbours, keepdims=True) / np.where(spread > 0, spread, 1.0)
    own = np.clip(1 - noisy, 0, 1) if len(missing) > 1 else 0.0
    return np.asarray(common + own * (means - common), dtype=np.float32)


POTENTIALS.register("calibrate")(
    PotentialMethod("calibrate", "per neuron, from its mean error (Li 2021)", 0.5, refine)
)
