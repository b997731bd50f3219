"""TableSynapse: the currents sum to the table's entry of the code that arrived."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SQUARES = np.array([4, 1, 0, 1, 4, 9], dtype=np.int64)


@pytest.mark.parametrize(
    ("code", "train", "currents", "final"),
    [
        ("count", [1, 1, -1, -1, -1], [1, 3, -3, -1, 1], -1),
        ("radix", [0, 1, 1], [0, 0, 9], 3),
        ("radix", [-1, 0], [0, 4], -2),
    ],
)
def test_by_hand(bench, case, code, train, currents, final):
    rows = np.reshape(train, (-1, 1))
    example = case("TableSynapse", rows, SQUARES, [-2], [0], T=len(train), code=code)
    got, after = bench.agree(example)
    assert got.ravel().tolist() == currents
    assert after.tolist() == [[final]]


@settings(max_examples=60)
@given(data=st.data())
def test_the_window_says_the_entry(makers, data):
    case = data.draw(makers["TableSynapse"]())
    table, lowest, start, _ = case.inputs[1:]
    currents, after = case.window()
    rows = currents.reshape(case.steps, *after.shape)
    before = np.broadcast_to(start if case.attributes["code"] == "count" else 0, after.shape)
    said = table[after - lowest[0]] - table[before - lowest[0]]
    np.testing.assert_array_equal(rows.sum(axis=0), said)
