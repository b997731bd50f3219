"""The thresholds from batch norm against brute force."""

from math import erf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.methods import THRESHOLDS
from onnx2snn.methods.threshold import gaussian
from onnx2snn.methods.threshold.gaussian import best_thresholds
from onnx2snn.plan import ConversionConfig


def squared_error(theta, mean, std, levels, rounding):
    """Mean squared error of the rate code, by plain numeric integration."""
    points = 20_001 if levels < 64 else 80_001  # many for each level
    x = np.linspace(max(mean - 9 * std, 0), max(mean, 0) + 9 * std, points)
    weight = np.exp(-(((x - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi)) * (x[1] - x[0])
    coded = theta / levels * np.clip(np.floor(x * levels / theta + rounding), 0, levels)
    return (weight * (x - coded) ** 2).sum()


def brute_force(mean, std, levels, rounding):
    """The threshold of least error among many, and its error."""
    low, high = max(mean - 5 * std, 0.02 * std), max(mean, 0) + 8 * std
    for _ in range(4):  # finer and finer
        grid = np.linspace(low, high, 41)
        errors = [squared_error(t, mean, std, levels, rounding) for t in grid]
        place = int(np.argmin(errors))
        low, high = grid[max(place - 2, 0)], grid[min(place + 2, 40)]
    return grid[place], errors[place]


@pytest.mark.parametrize("rounding", [0.5, 0.0])
@pytest.mark.parametrize("levels", [1, 2, 4, 8, 32, 256])
@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.0, 1.0, 5.0, 30.0])
def test_against_brute_force(mean, levels, rounding):
    """Within two percent, or no worse: some minima are flat, or have twins far away."""
    found = best_thresholds(np.array([mean]), np.ones(1), levels, rounding)[0]
    want, least = brute_force(mean, 1.0, levels, rounding)
    error = squared_error(found, mean, 1.0, levels, rounding)
    assert error <= least * 1.02
    assert abs(found - want) <= 0.02 * want or error <= least * 1.005


def test_against_samples():
    """Without any formula: many normal numbers."""
    mean, std, levels = 0.4, 1.7, 6
    x = np.maximum(np.random.default_rng(0).normal(mean, std, 300_000), 0)

    def error(theta):
        return np.mean(
            (x - theta / levels * np.clip(np.floor(x * levels / theta + 0.5), 0, levels)) ** 2
        )

    grid = np.linspace(3, 7, 81)
    want = grid[np.argmin([error(t) for t in grid])]
    found = best_thresholds(np.array([mean]), np.array([std]), levels)[0]
    assert found == pytest.approx(want, rel=0.02)


@settings(max_examples=30)
@given(
    mean=st.floats(-20, 20),
    std=st.floats(1e-3, 1e3),
    factor=st.floats(1e-3, 1e3),
    levels=st.integers(1, 64),
)
def test_scales(mean, std, factor, levels):
    """Other units, the same threshold in those units."""
    one = best_thresholds(np.array([mean]), np.array([std]), levels)
    other = best_thresholds(np.array([mean * factor]), np.array([std * factor]), levels)
    np.testing.assert_allclose(other, one * factor, rtol=1e-3)


def test_channels_are_independent():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(0, 2, 40), rng.uniform(0.1, 3, 40)
    together = best_thresholds(mean, std, 8)
    alone = [best_thresholds(mean[i : i + 1], std[i : i + 1], 8)[0] for i in range(40)]
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_grows_with_levels():
    """More levels can afford to clip less."""
    thresholds = [best_thresholds(np.zeros(1), np.ones(1), T)[0] for T in (1, 2, 4, 8, 32, 256)]
    assert thresholds == sorted(thresholds)
    assert 0.8 < thresholds[0] < 1.5
    assert 3.5 < thresholds[-1] < 5.0


class TestLimits:
    @pytest.mark.parametrize("levels", [1, 8, 256])
    def test_far_above_zero(self, levels):
        """Nothing is cut off at zero; the threshold is a little above the mean."""
        theta = best_thresholds(np.array([1000.0]), np.ones(1), levels)[0]
        assert 999 <= theta <= 1006

    @pytest.mark.parametrize("levels", [1, 8, 256])
    def test_far_below_zero(self, levels):
        theta = best_thresholds(np.array([-5.1, -1e6]), np.ones(2), levels)
        np.testing.assert_array_equal(theta, [0, 0])

    @pytest.mark.parametrize("levels", [1, 8, 256])
    def test_hardly_ever_above_zero(self, levels):
        theta = best_thresholds(np.array([-4.9]), np.ones(1), levels)[0]
        assert 0.05 < theta < 3

    @pytest.mark.parametrize("levels", [1, 8, 256])
    def test_constant(self, levels):
        """No spread: the threshold is the one value that occurs."""
        theta = best_thresholds(np.array([2.0, 0.0, -3.0]), np.zeros(3), levels)
        np.testing.assert_array_equal(theta, [2, 0, 0])

    def test_no_channels(self):
        assert best_thresholds(np.empty(0), np.empty(0), 8).shape == (0,)

    @pytest.mark.parametrize("std", [1e-30, 1e-10, 1e10, 1e30])
    def test_extreme_units(self, std):
        theta = best_thresholds(np.array([std]), np.array([std]), 8)
        np.testing.assert_allclose(theta / std, best_thresholds(np.ones(1), np.ones(1), 8))


class TestCompute:
    config = ConversionConfig(timesteps=8)

    def compute(self, site, **options):
        return THRESHOLDS.get("gaussian").compute(site, None, ConversionConfig(**options))

    def test_needs_batch_norm(self, sites):
        assert self.compute(sites["relu"]) is None
        assert self.compute(sites["quantizer"]) is None

    def test_per_channel_and_layer(self, sites):
        channels = self.compute(sites["norm"])
        layer = self.compute(sites["norm"], granularity="layer")
        assert channels.shape == (6,)
        np.testing.assert_array_equal(layer, [channels.max()])

    def test_time_and_potential_count(self, sites):
        half = self.compute(sites["norm"], timesteps=4)
        assert (self.compute(sites["norm"], timesteps=16) > half).all()
        assert (self.compute(sites["norm"], timesteps=4, v_init="zero") != half).all()

    def test_very_long_windows(self, sites):
        """Beyond some length nothing changes, and nothing takes longer."""
        longest = self.compute(sites["norm"], timesteps=gaussian.MOST_LEVELS)
        np.testing.assert_array_equal(self.compute(sites["norm"], timesteps=10**9), longest)

    def test_above_the_lower_bound(self, make_site):
        """Spikes stand for what is above it: the mean shifts."""
        mean, std = np.full(6, 0.3, np.float32), np.ones(6, np.float32)
        plain = self.compute(make_site(mean=mean + 1, std=std))
        shifted = self.compute(make_site("clip", lower=-1.0, upper=9.0, mean=mean, std=std))
        np.testing.assert_allclose(shifted, plain, rtol=1e-6)


def test_erf():
    u = np.concatenate([np.linspace(-7, 7, 20_001), [0.0, 1e-300, -1e-9, 1e9, -1e9]])
    np.testing.assert_allclose(gaussian._erf(u), [erf(x) for x in u], atol=1e-10)
