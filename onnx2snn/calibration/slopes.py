"""How the answer of a population follows its current and its threshold, straight through.

Spikes are steps, whose derivative is zero or infinite; counted as the identity where that is near
the truth (straight-through, Bengio 2013), they give gradients. A population hears gradients g_t of
its answers θ·s_t, and passes γ_t on to its currents::

    γ_t = g_t where it passes, else γ_{t+1}        ∂L/∂θ = Σ_t (g_t − γ_{t+1})·lever_t

Over all T steps (:func:`slopes_in_time`) a neuron passes near its threshold, θ/2 < v_t < 3θ/2:
there a little more current is so much more spike. Elsewhere the potential keeps it for the next
step. That is the gradient through time of v − θ·s with the surrogate 1/θ on an interval as wide as
a threshold (Neftci et al. 2019), and ::

    lever_t = s_t − passes_t·(v_t − v_init)/θ

With means over the window (:func:`slopes_of_means`, one row) the mean current z is answered by
n = clip(floor(T·z/θ + v_init/θ), 0, T) spikes. It passes where n is not clipped, and lever =
n/T − passes·z/θ. n is what the neuron would answer to an even current: what it does answer differs
by the unevenness of its inputs, which no threshold mends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.signals import Array

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Slopes:
    """Of one population, for each row of its answer.

    Attributes:
        passes: [R, N, ...] where gradients reach the current of their own step.
        levers: [R, N, ...] what a threshold changes.
    """

    passes: Mask
    levers: Array


def slopes_of_means(
    drive: Array, theta: Array, share: Array, alive: Mask, timesteps: int
) -> Slopes:
    """Slopes of means over the window, R = 1.

    Args:
        drive: [N, ...] mean current.
        theta: threshold, broadcastable; so are the others.
        share: initial potential as a share of the threshold.
        alive: where channels fire at all.
        timesteps: T.
    """
    ratio = drive / theta
    levels = np.floor(ratio * np.float32(timesteps) + share)
    counts = np.clip(levels, 0, timesteps)
    passes = (levels == counts) & alive
    levers = np.where(alive, counts / np.float32(timesteps) - passes * ratio, np.float32(0))
    return Slopes(passes[None], levers[None].astype(np.float32))


def slopes_in_time(
    currents: Array,
    spikes: npt.NDArray[np.int8] | Array,
    theta: Array,
    share: Array,
    alive: Mask,
) -> Slopes:
    """Slopes of every step of plain neurons, R = T.

    Args:
        currents: [T, N, ...].
        spikes: [T, N, ...] 0 or 1.
        theta: threshold, broadcastable against one step; so are the others.
        share: initial potential as a share of the threshold.
        alive: where channels fire at all.
    """
    passes = np.empty(currents.shape, dtype=np.bool_)
    levers = np.empty(currents.shape, dtype=np.float32)
    half = np.float32(0.5)
    charge = np.zeros(currents.shape[1:], dtype=np.float32)  # (v − v_init)/θ
    for t, (current, fired) in enumerate(zip(currents, spikes, strict=True)):
        charge += current / theta
        np.logical_and(np.abs(charge + (share - 1)) < half, alive, out=passes[t])
        np.subtract(fired * alive, passes[t] * charge, out=levers[t])
        charge -= fired
    return Slopes(passes, levers)


def joined(parts: Sequence[Slopes]) -> Slopes:
    """Slopes of parts of the samples, as one."""
    passes = np.concatenate([p.passes for p in parts], axis=1)
    return Slopes(passes, np.concatenate([p.levers for p in parts], axis=1))
