"""The fast forms answer as the ops do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.calibration import populations
from onnx2snn.calibration.populations import AVERAGED, SIMULATIONS
from onnx2snn_runtime.ops import averaged_integrate_fire, integrate_fire, signed_integrate_fire

T = 6


def drawn(seed, samples=3):
    """Integer currents, so that every sum is exact."""
    rng = np.random.default_rng(seed)
    currents = rng.integers(-4, 7, (T, samples, 4, 5)).astype(np.float32)
    theta = rng.integers(1, 6, (4, 1)).astype(np.float32)
    v_init = rng.integers(-2, 4, (4, 5)).astype(np.float32)
    return currents, theta, v_init


def rows(values):
    return values.reshape(-1, *values.shape[2:])


seeds = given(st.integers(0, 2**32 - 1))
few = settings(max_examples=25)


@seeds
@few
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_plain(reset, seed):
    currents, theta, v_init = drawn(seed)
    want, _ = integrate_fire.window(rows(currents), theta, v_init, np.int64(T), reset=reset)
    got = SIMULATIONS["if", reset](currents, theta, v_init, T)
    np.testing.assert_array_equal(rows(got), want)


@seeds
@few
def test_signed(seed):
    currents, theta, v_init = drawn(seed)
    zero, many = np.zeros(1, np.float32), np.full(1, T, np.float32)
    want, _, _ = signed_integrate_fire.window(
        rows(currents), theta, zero, many, v_init, zero, np.int64(T)
    )
    got = SIMULATIONS["signed-if", "subtract"](currents, theta, v_init, T)
    np.testing.assert_array_equal(rows(got), want)


@seeds
@few
def test_averaged(seed):
    """Counts of the closed form, whose window has one row."""
    currents, theta, v_init = drawn(seed)
    currents *= T  # means are integers then
    want, _ = averaged_integrate_fire.window(rows(currents), theta, v_init, np.int64(T))
    got = SIMULATIONS["asg", "subtract"](currents, theta, v_init, T)
    counts = want.reshape(currents.shape).sum(axis=0)
    np.testing.assert_allclose(got[0] * T, counts, atol=1e-5)
    assert "asg" in AVERAGED


def test_long_windows_of_signed_neurons():
    """More spikes than eight bits count, and all of them taken back."""
    currents = np.repeat(np.array([1.0, -1.0], np.float32), 200).reshape(400, 1, 1)
    one = np.ones(1, np.float32)
    spikes = SIMULATIONS["signed-if", "subtract"](currents, one, 0 * one, 400)
    np.testing.assert_array_equal(spikes[:, 0, 0], currents[:, 0, 0])


def test_chunks_do_not_matter(monkeypatch):
    currents, theta, v_init = drawn(0, samples=7)
    whole = populations.integrate_fire(currents, theta, v_init, T)
    monkeypatch.setattr(populations, "CHUNK", 13)
    np.testing.assert_array_equal(populations.integrate_fire(currents, theta, v_init, T), whole)


def test_inputs_stay_as_they_are():
    currents, theta, v_init = drawn(1)
    before = [a.copy() for a in (currents, theta, v_init)]
    for simulate in SIMULATIONS.values():
        simulate(currents, theta, v_init, T)
    for now, then in zip((currents, theta, v_init), before, strict=True):
        np.testing.assert_array_equal(now, then)
