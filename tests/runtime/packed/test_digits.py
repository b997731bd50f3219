"""Float weights as whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn_runtime.packed.digits import BASE, DIGITS, LARGEST, digits_of


def value(digits, scale):
    places = float(BASE) ** np.arange(len(digits))
    whole = np.tensordot(places, digits.astype(np.float64), 1)
    return whole * scale.astype(np.float64).reshape(-1, *[1] * (whole.ndim - 1))


@given(st.integers(0, 2**32 - 1), st.integers(-60, 60))
def test_close_to_the_largest_weight_of_a_channel(seed, exponent):
    rng = np.random.default_rng(seed)
    weights = (rng.normal(size=(4, 3, 2)) * 2.0**exponent).astype(np.float32)
    digits, scale = digits_of(weights)
    assert digits.dtype == np.int8
    assert digits.shape == (DIGITS, 4, 3, 2)
    error = np.abs(value(digits, scale) - weights).max(axis=(1, 2))
    assert (error <= np.abs(weights).max(axis=(1, 2)) / LARGEST).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**16), st.integers(-20, 20))
def test_whole_numbers_are_exact(seed, largest, exponent):
    whole = np.random.default_rng(seed).integers(-largest, largest + 1, (5, 7))
    weights = (whole * 2.0**exponent).astype(np.float32)
    np.testing.assert_array_equal(value(*digits_of(weights)), weights)


@pytest.mark.parametrize(("largest", "count"), [(0, 1), (1, 1), (127, 1), (128, 2), (32767, 3)])
def test_no_more_digits_than_needed(largest, count):
    digits, scale = digits_of(np.array([[largest, -largest, 1.0 if largest else 0]], np.float32))
    assert len(digits) == count
    np.testing.assert_array_equal(value(digits, scale)[0, :2], [largest, -largest])


def test_channels_without_weights_and_tiny_ones():
    weights = np.array([[0, 0], [1e-44, 0], [3e38, -3e38]], np.float32)
    got = value(*digits_of(weights))
    np.testing.assert_array_equal(got[0], 0)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[2], weights[2], rtol=2.0**-23)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_numbers(bad):
    assert digits_of(np.array([[1, bad]], np.float32)) is None
