"""Populations simulated on arrays: what the ops do to a window of currents, in fast forms.

A population sees rows [R, n, ...]: R = T steps, or R = 1 where only means over the window count
(averaged spike generation). Its answer has the same shape: spikes, or spikes per step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
Spikes: TypeAlias = npt.NDArray[np.int8]
#: From currents [R, n, ...], threshold, initial potential (both broadcastable) and T to spikes.
Simulate: TypeAlias = Callable[[Array, Array, Array, int], "Spikes | Array"]
#: One step in place: potential (with the step's current), threshold, sum of spikes before, spikes
#: (written), and room for a row of numbers.
Step: TypeAlias = Callable[[Array, Array, Spikes, Spikes, Array], None]

#: Neurons simulated at once: their state and a row of currents stay in the processor's cache.
CHUNK = 1 << 15


def integrate_fire(currents: Array, theta: Array, v_init: Array, timesteps: int) -> Spikes:
    """Plain neurons with soft reset: spikes 0 or 1."""
    return _in_chunks(currents, theta, v_init, _subtract)


def hard_reset(currents: Array, theta: Array, v_init: Array, timesteps: int) -> Spikes:
    """Plain neurons whose potential a spike sets to zero."""
    return _in_chunks(currents, theta, v_init, _to_zero)


def signed_integrate_fire(currents: Array, theta: Array, v_init: Array, timesteps: int) -> Spikes:
    """Neurons that take spikes back by −1 while the sum of their spikes is above zero."""
    return _in_chunks(currents, theta, v_init, _signed)


def averaged_integrate_fire(currents: Array, theta: Array, v_init: Array, timesteps: int) -> Array:
    """Averaged spike generation in closed form: spikes per step, [1, n, ...].

    Every step integrates the window's mean current m, so T steps give floor((T·m + v_init)/θ)
    spikes, one in a step at most. Two cases are left: m ≥ θ fires in every step once it began, and
    m < 0 only while a large v_init lasts.
    """
    mean = currents if len(currents) == 1 else currents.mean(axis=0, keepdims=True)
    steps = np.float32(timesteps)
    counts: Array = mean * steps
    counts += v_init
    counts /= theta
    np.floor(counts, out=counts)
    if ((v_init >= 0) & (v_init < theta)).all():  # then both cases are like the others
        rates: Array = np.clip(counts, 0, steps, out=counts)
        rates /= steps
        return rates
    positive = np.maximum(mean, np.finfo(np.float32).tiny)
    with np.errstate(over="ignore"):  # of tiny means, which are not fast
        silent = np.maximum(np.ceil((theta - v_init) / positive) - 1, 0)
    counts = np.where(mean >= theta, steps - silent, counts)
    counts = np.where(mean < 0, np.floor(v_init / (theta - np.minimum(mean, 0))), counts)
    spikes: Array = np.clip(counts, 0, steps) / steps
    return spikes


#: By neuron model and reset.
SIMULATIONS: dict[tuple[str, str], Simulate] = {
    ("if", "subtract"): integrate_fire,
    ("if", "zero"): hard_reset,
    ("signed-if", "subtract"): signed_integrate_fire,
    ("asg", "subtract"): averaged_integrate_fire,
}
#: Neuron models of which only means over the window matter: their windows have one row.
AVERAGED = frozenset({"asg"})


def rows_of_window(neuron: str, timesteps: int) -> int:
    """R of a neuron model."""
    return 1 if neuron in AVERAGED else timesteps


def _subtract(v: Array, theta: Array, total: Spikes, out: Spikes, room: Array) -> None:
    np.greater_equal(v, theta, out=out.view(np.bool_))
    np.copyto(room, out)
    np.multiply(room, theta, out=room)
    np.subtract(v, room, out=v)


def _to_zero(v: Array, theta: Array, total: Spikes, out: Spikes, room: Array) -> None:
    np.less(v, theta, out=out.view(np.bool_))
    np.copyto(room, out)
    np.multiply(v, room, out=v)
    np.logical_not(out, out=out.view(np.bool_))


def _signed(v: Array, theta: Array, total: Spikes, out: Spikes, room: Array) -> None:
    np.greater_equal(v, theta, out=out.view(np.bool_))
    out -= (v < 0) & (total > 0)
    np.add(total, out, out=total)
    np.copyto(room, out)
    np.multiply(room, theta, out=room)
    np.subtract(v, room, out=v)


def _in_chunks(currents: Array, theta: Array, v_init: Array, step: Step) -> Spikes:
    shape = currents.shape
    rows = currents.reshape(shape[0], -1)
    limits = np.broadcast_to(theta, shape[1:]).reshape(-1)
    starts = np.broadcast_to(v_init, shape[1:]).reshape(-1)
    spikes = np.empty(rows.shape, dtype=np.int8)
    kind = np.min_scalar_type(-1 - len(rows))
    for low in range(0, rows.shape[1], CHUNK):
        part = slice(low, low + CHUNK)
        v, limit = starts[part].astype(np.float32), limits[part]
        total, room = np.zeros(v.shape, kind), np.empty_like(v)
        for current, out in zip(rows[:, part], spikes[:, part], strict=True):
            np.add(v, current, out=v)
            step(v, limit, total, out, room)
    return spikes.reshape(shape)
