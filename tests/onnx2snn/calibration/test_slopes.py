"""Slopes of populations, against the derivatives that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.calibration.populations import integrate_fire
from onnx2snn.calibration.slopes import Slopes, joined, slopes_in_time, slopes_of_means

SHAPE = (5, 4, 3, 6)  # T, N, C, and places
ALIVE = np.array([[True], [True], [False]])


def drawn(seed):
    """Currents, gradients of answers, thresholds and potentials as shares of them."""
    rng = np.random.default_rng(seed)
    currents = rng.normal(0.2, 0.7, SHAPE).astype(np.float32)
    errors = np.where(ALIVE, rng.normal(0, 1, SHAPE), 0)
    theta = np.exp(rng.normal(0, 0.3, (3, 1))).astype(np.float32)
    share = rng.uniform(-0.3, 1.2, (3, 1)).astype(np.float32)
    return currents, errors, theta, share


def tangent(currents, spikes, theta, share, moved):
    """How answers change when currents, thresholds and shares do, step by step.

    A spike changes by 1/θ of its potential's change, and by −v/θ² of its threshold's, within half a
    threshold of where it begins.
    """
    d_current, d_theta, d_share = moved
    v, dv = share * theta, d_share * theta + share * d_theta
    changes = []
    for t in range(SHAPE[0]):
        v, dv = v + currents[t], dv + d_current[t]
        near = np.abs(v - theta) < theta / 2
        ds = near * (dv / theta - v * d_theta / theta**2)
        changes.append(theta * ds + spikes[t] * d_theta)
        v, dv = v - theta * spikes[t], dv - theta * ds - spikes[t] * d_theta
    return np.stack(changes)


def passed_on(errors, slopes):
    """Gradients of currents, and Σ (g_t − γ_{t+1})·lever_t before it is summed to channels."""
    later, currents, thresholds = np.zeros(SHAPE[1:]), [], 0
    for error, passes, lever in zip(
        errors[::-1], slopes.passes[::-1], slopes.levers[::-1], strict=True
    ):
        thresholds = thresholds + (error - later) * lever
        later = np.where(passes, error, later)
        currents.append(later)
    return np.stack(currents[::-1]), thresholds


@given(seed=st.integers(0, 2**32 - 1))
def test_in_time_is_the_adjoint_of_small_changes(seed):
    currents, errors, theta, share = drawn(seed)
    spikes = integrate_fire(currents, theta, share * theta, SHAPE[0])
    slopes = slopes_in_time(currents, spikes, theta, share, ALIVE)
    rng = np.random.default_rng(seed)
    moved = [rng.normal(0, 1, shape) for shape in (SHAPE, (3, 1), (3, 1))]
    changes = tangent(currents, spikes, theta, share, moved)
    of_currents, of_theta = passed_on(errors, slopes)
    parts = of_currents * moved[0], of_theta * moved[1], of_currents[0] * theta * moved[2]
    size = np.abs(errors * changes).sum() + sum(np.abs(p).sum() for p in parts)
    assert sum(p.sum() for p in parts) == pytest.approx((errors * changes).sum(), abs=1e-4 * size)


def test_what_is_dead_passes_nothing():
    currents, errors, theta, share = drawn(0)
    spikes = integrate_fire(currents, theta, share * theta, SHAPE[0])
    slopes = slopes_in_time(currents, spikes, theta, share, ALIVE)
    of_currents, of_theta = passed_on(errors, slopes)
    assert not of_currents[:, :, 2].any()
    assert not of_theta[:, 2].any()
    assert of_currents[:, :, :2].any()


def test_means_as_if_nothing_were_rounded():
    """Between its ends a population is the identity; thresholds move its steps."""
    currents, _, theta, share = drawn(1)
    drive, steps = 2 * currents[0], 4
    slopes = slopes_of_means(drive, theta, share, ALIVE, steps)
    levels = np.floor(steps * (drive / theta) + share)
    inside = (levels >= 0) & (levels <= steps) & ALIVE
    np.testing.assert_array_equal(slopes.passes, inside[None])
    assert 0 < inside.mean() < 1
    counts = np.clip(levels, 0, steps)
    wanted = np.where(ALIVE, counts / steps - inside * drive / theta, 0)
    np.testing.assert_allclose(slopes.levers, wanted[None], atol=1e-5)


def test_one_step_is_its_own_mean():
    """Where a neuron fires at most once, both are the same but beyond a threshold above it."""
    currents, _, theta, _ = drawn(2)
    share = np.full((3, 1), 0.5, np.float32)
    drive = np.clip(currents[:1], -0.5 * theta, 0.9 * theta)
    spikes = integrate_fire(drive, theta, share * theta, 1)
    one = slopes_in_time(drive, spikes, theta, share, ALIVE)
    mean = slopes_of_means(drive[0], theta, share, ALIVE, 1)
    inside = (drive > 0) & ALIVE
    np.testing.assert_array_equal(one.passes & inside, mean.passes & inside)
    np.testing.assert_allclose(one.levers[inside], mean.levers[inside], atol=1e-6)


def test_joined():
    currents, _, theta, share = drawn(3)
    spikes = integrate_fire(currents, theta, share * theta, SHAPE[0])
    parts = [slice(0, 1), slice(1, 4)]
    whole, *apart = (
        slopes_in_time(currents[:, p], spikes[:, p], theta, share, ALIVE)
        for p in (slice(None), *parts)
    )
    found = joined(apart)
    assert isinstance(found, Slopes)
    np.testing.assert_array_equal(found.passes, whole.passes)
    np.testing.assert_array_equal(found.levers, whole.levers)
