"""Pools that spike, in the walk: they pass spikes on at the amplitude of those that arrive."""

from __future__ import annotations

import numpy as np

from onnx2snn.calibration.populations import averaged_integrate_fire, integrate_fire
from onnx2snn.calibration.signals import Array, Train
from onnx2snn.calibration.walker import View
from onnx2snn.plan import NeuronPlan


def pool_train(view: View, neuron: NeuronPlan, steps: int) -> Train:
    """The answer of an average pool's or a max pool's population.

    Args:
        view: at the pool.
        neuron: its plan; thresholds and potentials in places.
        steps: rows of a window, 1 where only means over it matter.
    """
    worth = view.amplitudes()
    if neuron.threshold is None:
        spikes = _largest(view, worth)
    else:
        spikes = _average(view, worth, neuron.threshold, neuron.v_init, steps)
    return Train(spikes if steps == 1 else np.rint(spikes).astype(np.int8), worth)


def _average(view: View, worth: Array, places: Array, v_init: Array, steps: int) -> Array:
    """Sums over a window reach the number of places where their mean reaches the amplitude."""
    simulate = averaged_integrate_fire if steps == 1 else integrate_fire
    theta = np.where(worth > 0, worth, np.float32(1))
    start = theta * (v_init / places)
    # One spike less than the threshold is far from it: half of that forgives roundings of the mean.
    slack = theta / np.float32(4 * places.max())
    parts = [
        simulate(current, theta, start + slack, view.timesteps) for _, current in view.currents()
    ]
    return np.concatenate(parts, axis=1)


def _largest(view: View, worth: Array) -> Array:
    """y(t) = P(t) − P(t−1), P the maximum of the spikes up to t."""
    safe = np.where(worth > 0, worth, np.float32(1))
    parts = [np.diff(sums, axis=0, prepend=0) / safe for _, sums in view.cumulated()]
    return np.concatenate(parts, axis=1).astype(np.float32)
