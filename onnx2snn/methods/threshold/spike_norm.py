"""spike-norm: the largest current of any step, delivered by spikes (Sengupta 2019).

Layer by layer: the layers before fire with thresholds that are settled already.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod
from onnx2snn.methods.threshold import maximum
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig


def refine(work: Work, config: ConversionConfig) -> Work:
    """The maximum over steps, samples and places; the activations' own where nothing arrives."""
    tops = [largest(current, work) for _, current in work.currents()]
    top = np.maximum.reduce(tops)
    return scaled(work, np.where(top > 0, top, work.threshold))


def largest(current: Array, work: Work) -> Array:
    """[C, 1, ...] or [1]: the largest value of [R, n, C, ...]."""
    if work.threshold.size == 1:
        return np.full(1, current.max(), dtype=np.float32)
    axes = (0, 1, *range(3, current.ndim))
    top: Array = current.max(axis=axes, keepdims=True)[0, 0]
    return top


def scaled(work: Work, threshold: Array) -> Work:
    """Another threshold; amplitude and initial potential keep their ratio to it."""
    share = work.neuron.v_init / work.threshold
    theta = threshold.astype(np.float32)
    moved = replace(work, neuron=replace(work.neuron, v_init=theta * share))
    return moved.with_threshold(theta, np.where(work.amplitude == 0, np.float32(0), theta))


THRESHOLDS.register("spike-norm")(
    ThresholdMethod(
        "spike-norm",
        "largest current of any step, layer by layer (Sengupta 2019)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=maximum.compute,
        refine=refine,
    )
)
