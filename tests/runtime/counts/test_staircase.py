"""Straight staircases: what is found is exact for every accumulator; what is straight is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn_runtime.counts.draft import EXACT_FLOAT
from onnx2snn_runtime.counts.staircase import find_line, straighten

KINDS = (np.float32, np.float64)
LARGEST = 400
EVERY = np.arange(-LARGEST, LARGEST + 1)


def levels(found, acc):
    above = acc.astype(found.width.dtype) - found.start[:, None]
    level = np.clip(above / found.width[:, None], found.least[:, None], found.most[:, None])
    return found.base + np.floor(level)


def counted(tau, acc):
    return (acc[None, :, None] >= tau[:, None, :]).sum(axis=2)


TABLES = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(rng=TABLES, kind=st.sampled_from(KINDS))
def test_what_is_found_is_exact(rng, kind):
    """Random tables of few entries, some of which nothing or everything passes."""
    tau = np.sort(rng.integers(-500, 500, (rng.integers(1, 4), rng.integers(1, 5))), axis=1)
    found = straighten(tau, LARGEST, kind)
    if found is not None:
        np.testing.assert_array_equal(levels(found, EVERY), counted(tau, EVERY))
    # One entry is always straight.
    assert found is not None or tau.shape[1] > 1


@given(rng=TABLES, kind=st.sampled_from(KINDS))
def test_straight_tables_are_found(rng, kind):
    """⌈start + width·k⌉: also narrower than an accumulator, with entries beyond both ends."""
    rows, count = rng.integers(1, 4), rng.integers(1, 40)
    width, parts = rng.integers(1, 200, (rows, 1)), rng.integers(1, 9)
    start = rng.integers(-4000, 900, (rows, 1))
    tau = -(-(start + width * np.arange(count)) // parts)
    tau[:, : count // 3] -= rng.integers(0, 2) * 2**40
    tau[:, count - count // 3 :] += rng.integers(0, 2) * 2**62
    found = straighten(tau, LARGEST, kind)
    assert found is not None
    np.testing.assert_array_equal(levels(found, EVERY), counted(tau, EVERY))


@pytest.mark.parametrize("kind", KINDS)
def test_a_crooked_table_is_not(kind):
    tau = np.array([[0, 10, 20, 30, 40, 50, 60, 75, 80, 90]])
    assert straighten(tau, LARGEST, kind) is None
    assert straighten(np.delete(tau, 7, axis=1)[:, :7], LARGEST, kind) is not None
    assert straighten(np.zeros((3, 0), np.int64), LARGEST, kind) is None


def test_float32_is_not_trusted_beyond_its_whole_numbers():
    tau = np.array([[100, 200, 300]])
    assert straighten(tau, EXACT_FLOAT, np.float32) is None
    assert straighten(tau, EXACT_FLOAT - 1, np.float32) is not None
    assert straighten(tau, EXACT_FLOAT, np.float64) is not None


@given(rng=TABLES)
def test_hardly_straight_tables(rng):
    """Tables of 255 wide steps leave little room: what float32 gives for them must be right."""
    width, start = rng.integers(100, 400_000), rng.integers(-(10**5), 10**5)
    tau = -(-(start + width * np.arange(255)) // 73)[None]
    acc = np.unique(tau + np.array([[-1], [0]]))
    largest = int(np.abs(tau).max()) + 1
    narrow, wide = (straighten(tau, largest, kind) for kind in KINDS)
    assert wide is not None
    for found in (wide, narrow):
        if found is not None:
            np.testing.assert_array_equal(levels(found, acc), counted(tau, acc))


def test_float32_does_not_reach_everywhere():
    tau = -(-(221_114 * np.arange(255) + 1) // 81)[None]
    assert straighten(tau, 10**6, np.float64) is not None
    assert straighten(tau, 10**6, np.float32) is None


def test_the_first_exact_type_is_taken():
    easy, hard = np.array([[100, 200, 300]]), -(-(221_114 * np.arange(255) + 1) // 81)[None]
    for tau, kind in ((easy, np.float32), (hard, np.float64)):
        found = straighten(tau, 10**6, *KINDS)
        assert found is not None
        assert found.width.dtype == found.start.dtype == kind


def close_levels(line, acc):
    place = (acc.astype(line.start.dtype) - line.start[:, None]) * line.slope[:, None]
    return np.floor(np.clip(place, line.least[:, None], line.most[:, None]))


@given(rng=TABLES, kind=st.sampled_from(KINDS), above=st.sampled_from([0, 1]))
def test_lines_are_as_close_as_they_say(rng, kind, above):
    tau = np.sort(rng.integers(-500, 500, (rng.integers(1, 4), rng.integers(1, 9))), axis=1)
    line = find_line(tau, LARGEST, kind, above=above)
    if line is not None:
        over = close_levels(line, EVERY) - counted(tau, EVERY)
        assert over.min() >= 0
        assert over.max() <= above
    if above == 0 and straighten(tau, LARGEST, np.float64) is None:
        assert line is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_crooked_table_has_a_line_near_it(kind):
    tau = np.array([[0, 10, 20, 30, 40, 50, 60, 75, 80, 90]])
    assert find_line(tau, LARGEST, kind, above=0) is None
    assert find_line(tau, LARGEST, kind, above=1) is not None
    bent = np.array([[0, 10, 20, 30, 40, 140, 240, 340]])
    assert find_line(bent, LARGEST, kind, above=1) is None
    assert find_line(np.zeros((3, 0), np.int64), LARGEST, kind, above=1) is None


@given(rng=TABLES, kind=st.sampled_from(KINDS), above=st.sampled_from([0, 1]))
def test_lines_of_sums_that_can_be(rng, kind, above):
    tau = np.sort(rng.integers(-500, 500, (rng.integers(1, 4), rng.integers(1, 9))), axis=1)
    sums = np.unique(rng.integers(-LARGEST, LARGEST, rng.integers(1, 30)))
    line = find_line(tau, LARGEST, kind, above=above, sums=sums)
    if line is not None:
        over = close_levels(line, sums) - counted(tau, sums)
        assert over.min() >= 0
        assert over.max() <= above
    anywhere = find_line(tau, LARGEST, np.float64, above=above)
    if kind is np.float64 and anywhere is not None and not above:
        assert line is not None


def test_a_crooked_table_is_straight_where_sums_have_gaps():
    tau = np.array([[0, 10, 20, 30, 40, 50, 60, 75, 80, 90]])
    sums = np.arange(-90, 100, 10)
    assert find_line(tau, LARGEST, np.float32, above=0) is None
    assert find_line(tau, LARGEST, np.float32, above=0, sums=sums) is None  # 70 is among them
    line = find_line(tau, LARGEST, np.float32, above=0, sums=sums + 5)
    np.testing.assert_array_equal(close_levels(line, sums + 5), counted(tau, sums + 5))
