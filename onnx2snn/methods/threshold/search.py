"""search: threshold, initial potential and push of least error on the spikes that really arrive.

Starts at mmse. Unlike that, it knows that spikes arrive unevenly: a neuron that fires early cannot
take a spike back. A lower potential waits for more of the window, and a push, a current at every
step, makes up for it by the end; without it much is lost in short windows. Candidates are tried on
a sample of neurons, for all channels at once: a grid, then smaller and smaller steps around the
best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.calibration.signals import rates
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod
from onnx2snn.methods.sampling import Sample, as_many, sample
from onnx2snn.methods.threshold import mmse
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

#: Neurons of each channel; in long windows fewer.
COUNT = 4096
#: The grid: thresholds as multiples of the start, potentials as shares of the threshold.
FACTORS = (0.55, 0.7, 0.85, 1.0, 1.2, 1.4)
SHARES = (0.2, 0.5)
#: Steps around the best: of the threshold (logarithmic), of the potential's share, and of how much
#: of the share becomes push; and how they shrink.
STEPS, SHRINK, ROUNDS = (0.15, 0.3, 0.3), 0.65, 5


@dataclass
class _Trials:
    """The best candidates so far, [C, 1]; the push is a share of the threshold over the window."""

    work: Work
    drawn: Sample
    theta: Array
    share: Array
    push: Array
    error: Array

    def attempt(self, theta: Array, share: Array, push: Array) -> None:
        extra = theta * push / np.float32(self.work.timesteps)
        error = np.zeros((len(self.drawn.wanted), 1), np.float32)
        for part in self.drawn.parts():
            currents = self.drawn.currents[:, :, part]
            spikes = self.work.simulate(currents + extra, theta, theta * share, self.work.timesteps)
            lost = self.drawn.wanted[:, part] - rates(spikes) * theta
            error += np.square(lost).sum(axis=1, keepdims=True)
        if self.theta.shape != error.shape:
            error = error.sum(axis=0, keepdims=True)
        better = error < self.error
        self.theta = np.where(better, theta, self.theta).astype(np.float32)
        self.share = np.where(better, share, self.share).astype(np.float32)
        self.push = np.where(better, push, self.push).astype(np.float32)
        self.error = np.where(better, error, self.error)


def refine(work: Work, config: ConversionConfig) -> Work:
    """Threshold, amplitude, potential and push for each channel or the layer."""
    start = work.threshold.reshape(-1, 1)
    half = np.full_like(start, 0.5)
    still = np.zeros_like(start)
    worst = np.full_like(start, np.inf)
    drawn = sample(work, as_many(COUNT, work.timesteps))
    trials = _Trials(work, drawn, start, half, still, worst)
    widest = np.float32(work.site.upper - work.site.lower)
    for factor in FACTORS:
        for share in SHARES:
            theta = np.minimum(start * np.float32(factor), widest)
            trials.attempt(theta, np.full_like(start, share), still)
    steps = np.array(STEPS, dtype=np.float32)
    for _ in range(ROUNDS):
        for step_theta, step_share, step_push in (steps, -steps):
            grown = np.minimum(trials.theta * np.exp(step_theta), widest)
            trials.attempt(grown, trials.share, trials.push)
            trials.attempt(trials.theta, trials.share + step_share, trials.push)
            trials.attempt(trials.theta, trials.share, trials.push + step_push)
            # The charge by the window's end stays as it is; it arrives later, or sooner.
            trials.attempt(trials.theta, trials.share - step_push, trials.push + step_push)
        steps *= np.float32(SHRINK)
    theta = trials.theta.reshape(work.threshold.shape)
    silent = work.amplitude == 0
    moved = work.changed("v_init", "search", v_init=theta * trials.share.reshape(theta.shape))
    push = theta * trials.push.reshape(theta.shape) / np.float32(work.timesteps)
    moved = moved.with_bias("bias", "search", push)
    return moved.with_threshold(theta, np.where(silent, np.float32(0), theta))


THRESHOLDS.register("search")(
    ThresholdMethod(
        "search",
        "least squared error on the spikes that arrive, with initial potential and bias",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=True,
        compute=mmse.compute,
        refine=refine,
    )
)
