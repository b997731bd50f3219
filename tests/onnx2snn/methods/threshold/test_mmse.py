"""The least-squares threshold against a plain search over all values."""

import numpy as np
import pytest

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.statistics import BINS
from onnx2snn.methods.threshold.mmse import CANDIDATES, compute
from onnx2snn.plan import ActivationSite, ConversionConfig


def site():
    return ActivationSite("a", "relu", "x", "y", ("a",), channels=3, rank=4)


def statistics(values):
    """Statistics of [C, n] activations."""
    tops = values.max(axis=1)
    counts = np.stack(
        [
            np.histogram(v, bins=BINS, range=(0, max(t, 1e-9)))[0]
            for v, t in zip(values, tops, strict=True)
        ]
    )
    return SiteStatistics(tops, tops, float(tops.max()), counts, values.shape[1], "test")


def rate_coded(values, theta, T, rounding):
    return theta / T * np.clip(np.floor(values * T / theta + rounding), 0, T)


@pytest.mark.parametrize("T", [1, 2, 4, 8, 32])
@pytest.mark.parametrize(("v_init", "rounding"), [("half", 0.5), ("zero", 0.0)])
def test_no_candidate_is_better_on_the_values_themselves(T, v_init, rounding):
    rng = np.random.default_rng(T)
    values = np.maximum(rng.normal([[0.0], [1.0], [-1.0]], [[1.0], [0.3], [2.0]], (3, 4000)), 0)
    config = ConversionConfig(timesteps=T, v_init=v_init)
    found = compute(site(), statistics(values), config)
    for channel, theta in zip(values, found, strict=True):
        errors = [
            np.mean(
                (channel - rate_coded(channel, channel.max() * k / CANDIDATES, T, rounding)) ** 2
            )
            for k in range(1, CANDIDATES + 1)
        ]
        reached = np.mean((channel - rate_coded(channel, theta, T, rounding)) ** 2)
        assert reached <= 1.02 * min(errors)


def test_more_steps_clip_less():
    values = np.maximum(np.random.default_rng(0).normal(0, 1, (3, 20000)), 0)
    found = [
        compute(site(), statistics(values), ConversionConfig(timesteps=T)).mean()
        for T in (1, 4, 16, 64)
    ]
    assert found == sorted(found)
    assert found[0] < 0.6 * found[-1]


def test_one_threshold_for_the_layer():
    values = np.maximum(np.random.default_rng(1).normal(0, [[1.0], [2.0], [4.0]], (3, 5000)), 0)
    config = ConversionConfig(timesteps=8, granularity="layer")
    (layer,) = compute(site(), statistics(values), config)
    channels = compute(site(), statistics(values), ConversionConfig(timesteps=8))
    assert channels.min() < layer <= values.max()


def test_a_channel_that_never_fires_has_threshold_zero():
    values = np.zeros((3, 100))
    values[1] = np.linspace(0, 1, 100)
    found = compute(site(), statistics(values), ConversionConfig())
    assert found[0] == found[2] == 0.0
    assert 0 < found[1] <= 1


def test_it_needs_data():
    assert compute(site(), None, ConversionConfig()) is None
