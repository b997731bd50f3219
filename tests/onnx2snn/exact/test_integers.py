"""Constants as integers times a scale, exactly."""

from fractions import Fraction

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.exact.integers import Grid, fractions, grid, rows
from onnx2snn.exact.signal import NotExact

OPSET = 21


def dequantized(values, scale, zero=None, **attrs):
    given = [np.asarray(values, np.int8), np.asarray(scale, np.float32)]
    if zero is not None:
        given.append(np.asarray(zero, np.int8))
    inputs = [gs.Constant(f"c{i}", a) for i, a in enumerate(given)]
    return gs.Node("DequantizeLinear", "dq", attrs, inputs, [gs.Variable("w")]).outputs[0]


def exact(found):
    return found.integers * found.scales


@given(st.lists(st.floats(-8, 8, width=16), min_size=1, max_size=12))
def test_floats_of_few_bits(values):
    """Half precision numbers: integers times a power of two, the largest that is common."""
    array = np.array(values, dtype=np.float32)
    found = grid(gs.Constant("w", array), OPSET)
    if found is None:  # too far apart
        sizes = np.abs(array[array != 0])
        assert sizes.max() / sizes.min() > 2**28
        return
    np.testing.assert_array_equal(exact(found), array.astype(np.float64))
    assert np.gcd.reduce(np.abs(found.integers)) in {0, 1}
    assert fractions(gs.Constant("w", array), OPSET) == [Fraction(v) for v in array.tolist()]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number(value):
    assert grid(gs.Constant("w", np.float32([1, value])), OPSET) is None
    assert fractions(gs.Constant("w", np.float32([1, value])), OPSET) is None
    assert grid(dequantized([1, 2], [value]), OPSET) is None


def test_numbers_of_more_bits_are_no_grid():
    """A float64 constant with more bits than a float32 has must not be cut."""
    third = np.array([1 / 3, 1.0])
    found = grid(gs.Constant("w", third), OPSET)
    assert found is None or (exact(found) == third).all()


def test_quantized_constants():
    found = grid(dequantized([[1, -2], [3, 4]], [0.5, -0.25], [1, 0], axis=0), OPSET)
    np.testing.assert_array_equal(exact(found), [[0, -1.5], [-0.75, -1]])
    assert (found.scales > 0).all()
    dead = grid(dequantized([[1, -2], [3, 4]], [0.5, 0.0], axis=1), OPSET)
    np.testing.assert_array_equal(exact(dead), [[0.5, 0], [1.5, 0]])


def test_blocks():
    found = grid(
        dequantized(np.ones((5, 2)), [[1, 2], [3, 4], [5, 6]], axis=0, block_size=2), OPSET
    )
    np.testing.assert_array_equal(exact(found), [[1, 2], [1, 2], [3, 4], [3, 4], [5, 6]])


def test_moved_constants():
    w = dequantized([[1, -2, 3], [3, 4, 5]], [0.5, 0.25], axis=0)
    turned = gs.Node("Transpose", "t", {"perm": [1, 0]}, [w], [gs.Variable("wt")]).outputs[0]
    np.testing.assert_array_equal(exact(grid(turned, OPSET)), [[0.5, 0.75], [-1, 1], [1.5, 1.25]])
    assert fractions(turned, OPSET)[1] == Fraction(3, 4)


def test_computed_tensors_are_none():
    assert grid(None, OPSET) is None
    assert grid(gs.Variable("x"), OPSET) is None
    assert fractions(gs.Variable("x"), OPSET) is None
    relu = gs.Node("Relu", "r", {}, [gs.Variable("x")], [gs.Variable("y")]).outputs[0]
    assert grid(relu, OPSET) is None


def test_rows_of_one_scale():
    scales = np.array([[0.5, 0.5], [0.25, 9.0], [7.0, 3.0]])
    integers, units = rows(Grid(np.array([[1, 2], [3, 0], [0, 0]]), scales), 0)
    assert units == [Fraction(1, 2), Fraction(1, 4), Fraction(7)]
    assert integers.shape == (3, 2)
    with pytest.raises(NotExact, match="several scales"):
        rows(Grid(np.array([[1, 2], [3, 1], [0, 0]]), scales), 0)
