"""ctt: thresholds of plain neurons, moved until they fire as often as an averaged twin (Yan 2022).

The twin is a chain of averaged populations (asg) with the starting thresholds, fed by its own kind.
Algorithm 2 moves θ against the difference of spike counts; relative to the twin's counts, the same
step suits every channel. What a spike is worth stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnx2snn.calibration.signals import rates
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod
from onnx2snn.methods.sampling import sample
from onnx2snn.methods.threshold import mmse
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

COUNT = 4096
ROUNDS = 12
RATE = 0.5
#: A threshold moves by this factor at most, in one round and in all.
ROUND_LIMIT, LIMIT = 0.2, 2.0


def refine(work: Work, config: ConversionConfig) -> Work:
    """The thresholds with the smallest difference of mean counts."""
    drawn = sample(work, COUNT)
    assert drawn.twin is not None
    start = work.threshold.reshape(-1, 1)
    worth = work.amplitude.reshape(-1, 1)
    wanted = _mean(drawn.twin, start) / np.where(worth > 0, worth, np.float32(1))
    begin = (work.neuron.v_init / work.threshold).reshape(-1, 1)
    theta = best = start
    least = np.full(start.shape, np.inf)
    for _ in range(ROUNDS):
        wide = np.broadcast_to(theta, drawn.wanted.shape)
        spikes = work.simulate(drawn.currents, wide, wide * begin, work.timesteps)
        gap = wanted - _mean(rates(spikes), start)
        better = np.abs(gap) < least
        best, least = np.where(better, theta, best), np.where(better, np.abs(gap), least)
        relative = np.clip(RATE * gap / np.maximum(wanted, 1e-6), -ROUND_LIMIT, ROUND_LIMIT)
        theta = np.clip(theta * (1 - relative), start / LIMIT, start * LIMIT).astype(np.float32)
    found = best.reshape(work.threshold.shape).astype(np.float32)
    share = work.neuron.v_init / work.threshold
    moved = replace(work, neuron=replace(work.neuron, v_init=found * share))
    return moved.with_threshold(found, work.amplitude)


def _mean(values: Array, like: Array) -> Array:
    """Means over neurons, [C, 1], or [1, 1] where thresholds are the layer's."""
    mean: Array = values.mean(axis=1 if len(like) > 1 else None, keepdims=True)
    return mean


THRESHOLDS.register("ctt")(
    ThresholdMethod(
        "ctt",
        "moved from mmse until counts agree with an averaged twin (Yan 2022)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=True,
        compute=mmse.compute,
        refine=refine,
        needs_twin=True,
    )
)
