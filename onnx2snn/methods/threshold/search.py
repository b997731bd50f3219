"""search: threshold and initial potential of least error on the spikes that really arrive.

Starts at mmse. Unlike that, it knows that spikes arrive unevenly: a neuron that fires early
cannot take a spike back, so a higher threshold or a lower potential, which wait, may do better.
Candidates are tried on a sample of neurons, for all channels at once: a grid, then smaller and
smaller steps around the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod
from onnx2snn.methods.sampling import Sample, sample
from onnx2snn.methods.threshold import mmse
from onnx2snn.methods.work import Array, Work
from onnx2snn.plan import ConversionConfig

#: Neurons of each channel.
COUNT = 4096
#: Of the error that is summed: a little above two, which spares the large activations.
POWER = np.float32(2.4)
#: The grid: thresholds as multiples of the start, potentials as shares of the threshold.
FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5)
SHARES = (0.3, 0.5, 0.7)
#: Steps of the threshold (logarithmic) and of the share, and how they shrink.
STEPS, SHRINK, ROUNDS = (0.15, 0.2), 0.65, 5


@dataclass
class _Trials:
    """The best candidates so far: thresholds, shares and errors [C, 1]."""

    work: Work
    drawn: Sample
    theta: Array
    share: Array
    error: Array

    def attempt(self, theta: Array, share: Array) -> None:
        shape = self.drawn.wanted.shape
        currents = self.drawn.currents
        spikes = self.work.simulate(
            currents,
            np.broadcast_to(theta, shape),
            np.broadcast_to(theta * share, shape),
            self.work.timesteps,
        )
        lost = self.drawn.wanted - spikes.mean(axis=0) * theta
        error = (np.abs(lost) ** POWER).sum(axis=1, keepdims=True)
        if self.theta.shape != error.shape:
            error = error.sum(axis=0, keepdims=True)
        better = error < self.error
        self.theta = np.where(better, theta, self.theta).astype(np.float32)
        self.share = np.where(better, share, self.share).astype(np.float32)
        self.error = np.where(better, error, self.error)


def refine(work: Work, config: ConversionConfig) -> Work:
    """Threshold, amplitude and initial potential for each channel or the layer."""
    start = work.threshold.reshape(-1, 1)
    half = np.full_like(start, 0.5)
    trials = _Trials(work, sample(work, COUNT), start, half, np.full_like(start, np.inf))
    widest = np.float32(work.site.upper - work.site.lower)
    for factor in FACTORS:
        for share in SHARES:
            trials.attempt(
                np.minimum(start * np.float32(factor), widest), half * 2 * np.float32(share)
            )
    step_theta, step_share = STEPS
    for _ in range(ROUNDS):
        for sign in (1.0, -1.0):
            grown = trials.theta * np.float32(np.exp(sign * step_theta))
            trials.attempt(np.minimum(grown, widest), trials.share)
            trials.attempt(trials.theta, trials.share + np.float32(sign * step_share))
        step_theta, step_share = SHRINK * step_theta, SHRINK * step_share
    theta = trials.theta.reshape(work.threshold.shape)
    silent = work.amplitude == 0
    moved = work.changed("v_init", "search", v_init=theta * trials.share.reshape(theta.shape))
    return moved.with_threshold(theta, np.where(silent, np.float32(0), theta))


THRESHOLDS.register("search")(
    ThresholdMethod(
        "search",
        "least squared error on the spikes that arrive, together with the initial potential",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=True,
        compute=mmse.compute,
        refine=refine,
    )
)
