"""Rounding, saturation and zero points against Python's own fractions and onnxruntime."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.evaluation.rational.exact import Exact, FloatError, Term, scalar
from onnx2snn.evaluation.rational.rounding import dequantize, distance_to_tie, quantizer


def exact(numerators, unit):
    return Exact((Term(np.array([numerators], dtype=np.float64), scalar(unit, 2)),))


@settings(max_examples=40)
@given(
    st.lists(st.integers(-4000, 4000), min_size=1, max_size=8),
    st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(7, 16), Fraction(12345, 1 << 17)]),
    st.sampled_from([1.0, 0.5, 0.3, 3.0]),
    st.sampled_from([np.int8(0), np.int8(-7), np.uint8(128), np.int16(3)]),
)
def test_round(numerators, unit, scale, zero_point):
    parameters = quantizer(np.float32([scale]), np.array(zero_point), 1, 0, 2)
    got = parameters.round(parameters.steps(exact(numerators, unit)))
    limits = np.iinfo(zero_point.dtype)
    step = Fraction(float(np.float32(scale)))
    wanted = [
        min(max(round(n * unit / step) + int(zero_point), limits.min), limits.max)
        for n in numerators
    ]
    assert got.dtype == zero_point.dtype
    assert got[0].tolist() == wanted


def test_halves_go_to_even():
    parameters = quantizer(np.float32(1), np.int8(0), 1, 0, 2)
    steps = parameters.steps(exact([-5, -3, -1, 1, 3, 5, 253, 255], Fraction(1, 2)))
    assert parameters.round(steps)[0].tolist() == [-2, -2, 0, 0, 2, 2, 126, 127]


def test_a_hair_beside_a_half():
    """2^-80 above 1/2 is beyond float64 and still goes up."""
    terms = (
        Term(np.ones((1, 2)), scalar(Fraction(1, 2), 2)),
        Term(np.array([[1.0, -1.0]]), scalar(Fraction(1, 2**80), 2)),
    )
    parameters = quantizer(np.float32(1), None, 1, 0, 2)
    assert parameters.round(Exact(terms))[0].tolist() == [1, 0]


def test_axis():
    parameters = quantizer(np.float32([1, 2]), np.int8([0, 10]), -1, 0, 2)
    steps = parameters.steps(exact([6, 6], Fraction(1)))
    assert parameters.round(steps).tolist() == [[6, 13]]


@pytest.mark.parametrize("bits", [ml_dtypes.int4, ml_dtypes.uint4])
def test_four_bits(bits):
    limits = ml_dtypes.iinfo(bits)
    parameters = quantizer(np.float32(1), np.zeros((), bits), 1, 0, 2)
    got = parameters.round(exact([-100, 3, 100], Fraction(1)))
    assert got.astype(np.int64)[0].tolist() == [limits.min, 3, limits.max]


def test_floats_are_no_integers():
    with pytest.raises(UnsupportedModelError):
        quantizer(np.float32(1), np.zeros((), ml_dtypes.float8_e4m3fn), 1, 0, 2)
    with pytest.raises(UnsupportedModelError):
        quantizer(np.float32([1, 1]), None, 1, 2, 2)


def test_dequantize():
    integers = np.array([[1, 2, 3, 4, 5]], dtype=np.int8)
    value = dequantize(integers, np.float32(0.1), np.int8(3), 1, 0, bounds=True)
    step = Fraction(float(np.float32(0.1)))
    assert [value.at((0, i)) for i in range(5)] == [step * (i - 2) for i in range(5)]
    np.testing.assert_allclose(value.error.size, np.abs(integers - 3.0) * 0.1, rtol=1e-6)
    assert value.error.roundings == 1


def test_dequantize_blocks():
    integers = np.array([[1, 1, 1, 1, 1]], dtype=np.int8)
    scales = np.float32([[1, 2, 4]])
    value = dequantize(integers, scales, np.int8([[0, 1, 0]]), 1, 2, bounds=False)
    assert [value.at((0, i)) for i in range(5)] == [1, 1, 0, 0, 4]


def test_reach():
    """γ_n·size / scale, with one more rounding for the division."""
    parameters = quantizer(np.float32(0.5), np.int8(0), 1, 0, 2)
    reach = parameters.reach(FloatError(np.array([[10.0]]), 9))
    u = 2.0**-24
    assert reach == pytest.approx(10 * u / (1 - 10 * u) * 10.0 / 0.5)


@pytest.mark.parametrize(
    ("steps", "distance"), [((1, 2), (0, 1)), ((3, 4), (1, 4)), ((-5, 4), (1, 4)), ((0, 1), (1, 2))]
)
def test_distance_to_tie(steps, distance):
    assert distance_to_tie(Fraction(*steps)) == Fraction(*distance)
