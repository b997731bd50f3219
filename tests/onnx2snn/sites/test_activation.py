"""Bounds of activations that follow each other."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.sites import Bounds

RELU = Bounds(0.0, inf)
RELU6 = Bounds(0.0, 6.0)
SIGNED = Bounds(-6.4, 6.35, 0.05, 0)
UNSIGNED = Bounds(0.0, 5.1, 0.02, 0)
ODD = Bounds(-1.0, 4.1, 0.02, 50)


def test_without_a_quantizer_there_are_no_levels():
    assert RELU6.levels is None
    assert RELU.then(RELU6) == RELU6


@pytest.mark.parametrize(("bounds", "levels"), [(SIGNED, 256), (UNSIGNED, 256), (ODD, 256)])
def test_levels_of_a_quantizer(bounds, levels):
    assert bounds.levels == levels


def test_a_relu_cuts_the_lower_half_of_a_quantizer_off():
    assert RELU.then(SIGNED) == SIGNED.then(RELU) == Bounds(0.0, 6.35, 0.05, 0)
    assert RELU.then(SIGNED).levels == 128


def test_the_last_quantizer_gives_the_grid():
    assert SIGNED.then(UNSIGNED) == Bounds(0.0, 5.1, 0.02, 0)
    assert UNSIGNED.then(SIGNED) == Bounds(0.0, 5.1, 0.05, 0)
    assert UNSIGNED.then(SIGNED).levels == 103


@given(
    ends=st.lists(st.tuples(st.floats(-9, 0), st.floats(0.5, 9)), min_size=2, max_size=4),
    x=st.floats(-20, 20),
)
def test_bounds_compose_as_clips_do(ends, x):
    bounds = Bounds(*ends[0])
    for end in ends[1:]:
        bounds = bounds.then(Bounds(*end))
    clipped = x
    for low, high in ends:
        clipped = np.clip(clipped, low, high)
    assert np.clip(x, bounds.lower, bounds.upper) == clipped
