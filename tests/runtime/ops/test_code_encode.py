"""CodeEncode: every way of speaking gives the integer back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TRAINS = [
    ("once", 5, 0, [5, 0, 0]),
    ("once", 5, 1, [0, 0, 0]),
    ("unary", -2, 0, [-1, -1, 0]),
    ("unary", 2, 1, [1, 0, 0]),
    ("averaged", 2, 0, [0, 1, 1]),
    ("averaged", -1, 0, [0, 0, -1]),
    ("radix", 5, 0, [1, 0, 1]),
    ("radix", -6, 0, [-1, -1, 0]),
]


@pytest.mark.parametrize(("emission", "code", "start", "train"), TRAINS)
def test_by_hand(bench, case, emission, code, start, train):
    example = case("CodeEncode", np.array([[code]]), start, T=3, emission=emission)
    currents, done = bench.agree(example)
    assert currents.ravel().tolist() == train
    assert int(done) == start + 3


@settings(max_examples=60)
@given(data=st.data(), emission=st.sampled_from(["once", "averaged", "radix"]))
def test_the_window_holds_the_code(makers, data, emission):
    case = data.draw(makers["CodeEncode"](emission=st.just(emission), step=st.just(0)))
    codes = case.inputs[0]
    currents, _ = case.window()
    rows = currents.reshape(case.steps, *codes.shape)
    base = 2 if emission == "radix" else 1
    weights = np.array([base**t for t in range(case.steps)][::-1]).reshape(-1, *[1] * codes.ndim)
    np.testing.assert_array_equal((rows * weights).sum(axis=0), codes)
    assert emission == "once" or np.abs(rows).max(initial=0) <= 1


@settings(max_examples=40)
@given(data=st.data())
def test_unary_speaks_until_all_is_said(makers, data):
    case = data.draw(makers["CodeEncode"](emission=st.just("unary"), step=st.just(0)))
    codes = case.inputs[0]
    rows = case.window()[0].reshape(case.steps, *codes.shape)
    np.testing.assert_array_equal(rows.sum(axis=0), np.clip(codes, -case.steps, case.steps))
    assert (np.abs(np.diff(np.abs(rows), axis=0)).sum(axis=0) <= 1).all()
