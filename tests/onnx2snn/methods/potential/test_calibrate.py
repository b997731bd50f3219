from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.methods.potential.calibrate import mean_errors


def _missing(samples, spread, noise, seed=0, shape=(3, 8, 8)):
    """Errors of neurons that differ by ``spread``, with ``noise`` from sample to sample."""
    rng = np.random.default_rng(seed)
    truth = np.arange(shape[0]).reshape(-1, 1, 1) + spread * rng.standard_normal(shape)
    drawn = truth + noise * rng.standard_normal((samples, *shape))
    return truth, drawn.astype(np.float32)


def test_differences_that_are_noise_become_the_channels_mean():
    _, missing = _missing(16, spread=0.0, noise=1.0)

    found = mean_errors(missing)

    within = found.std(axis=(1, 2)).max()
    assert within < 0.3 * missing.mean(axis=0).std(axis=(1, 2)).min()
    np.testing.assert_allclose(found.mean(axis=(1, 2)), missing.mean(axis=(0, 2, 3)), rtol=1e-5)


def test_differences_that_are_real_stay():
    truth, missing = _missing(256, spread=1.0, noise=0.1)

    np.testing.assert_allclose(mean_errors(missing), truth, atol=0.05)


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.5])
def test_closer_to_the_truth_than_the_plain_mean(spread):
    truth, missing = _missing(16, spread, noise=1.0)

    found, plain = mean_errors(missing), missing.mean(axis=0)

    assert np.square(found - truth).mean() < np.square(plain - truth).mean()


def test_the_layer_stands_for_channels_of_one_neuron():
    missing = np.random.default_rng(0).standard_normal((16, 50)).astype(np.float32)

    found = mean_errors(missing)

    assert found.shape == (50,)
    assert found.std() < missing.mean(axis=0).std()


def test_of_one_sample_only_the_channels_mean_is_known():
    _, missing = _missing(1, spread=1.0, noise=1.0)

    found = mean_errors(missing)

    assert np.ptp(found, axis=(1, 2)).max() == 0.0


@given(st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-30, 1.0, 1e20]))
def test_always_finite_and_between_channel_and_neuron(samples, seed, size):
    _, missing = _missing(samples, 1.0, 1.0, seed, (2, 3, 3))
    missing = (missing * size).astype(np.float32)

    found = mean_errors(missing)

    plain = missing.mean(axis=0, dtype=np.float64)
    common = plain.mean(axis=(1, 2), keepdims=True)
    low, high = np.minimum(plain, common), np.maximum(plain, common)
    slack = 1e-5 * np.abs(plain).max()
    assert np.isfinite(found).all()
    assert (found >= low - slack).all()
    assert (found <= high + slack).all()
