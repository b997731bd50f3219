"""StaircaseFire: hand-made examples, where it settles, how integers are spoken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def in_time(case, array):
    n = array.shape[0] // case.steps
    return array.reshape(case.steps, n, *array.shape[1:])


def staircase(acc, tau, s_min):
    """f(acc) by counting, channels on axis 1."""
    answer = np.empty(acc.shape, dtype=np.int64)
    for place in np.ndindex(acc.shape):
        row = tau[place[1] if len(tau) > 1 else 0]
        answer[place] = s_min + sum(int(entry) <= int(acc[place]) for entry in row)
    return answer


def test_a_spike_given_too_early_is_taken_back(bench, case):
    rows = [[5], [-4], [0], [9], [0], [0]]
    example = case("StaircaseFire", rows, [[2, 4, 9]], [-1], [0], [0], T=6, emission="unary")
    spikes, acc, s = bench.agree(example)
    # acc: 5, 1, 1, 10, 10, 10, so f: 1, −1, −1, 2, 2, 2.
    assert spikes.ravel().tolist() == [1, -1, -1, 1, 1, 1]
    assert (acc.tolist(), s.tolist()) == ([[10]], [[2]])


def test_channels_have_tables_of_their_own(bench, case):
    rows = np.array([[[3], [3]], [[0], [0]], [[0], [0]]])
    tau = [[1, 2, 3], [3, 4, 2**62]]
    spikes, _, s = bench.agree(
        case("StaircaseFire", rows, tau, [0], [0], [0], T=3, emission="unary")
    )
    assert spikes.reshape(3, 2).tolist() == [[1, 1], [1, 0], [1, 0]]
    assert s.tolist() == [[[3], [1]]]


@pytest.mark.parametrize("s_min", [-7, -2, 3, 6])
@pytest.mark.parametrize("tau", [[[]], [[1, 2]], [[-(2**62)]], [[2**62]]])
@pytest.mark.parametrize("current", [0, 2])
def test_it_finds_the_staircase_from_outside_of_its_range(bench, case, tau, s_min, current):
    """A tracer that starts at 0 is not in the range of a staircase from 3 to 5."""
    tau = np.array(tau, dtype=np.int64)
    rows = np.zeros((9, 1))
    rows[0] = current
    example = case("StaircaseFire", rows, tau, [s_min], [0], [0], T=9, emission="unary")
    spikes, _, s = bench.agree(example)
    want = s_min + int((tau <= current).sum())
    assert s.tolist() == [[want]]
    assert np.abs(spikes).sum() == abs(want)


@pytest.mark.parametrize(
    ("emission", "code", "T", "train"),
    [
        ("averaged", 3, 7, [0, 0, 1, 0, 1, 0, 1]),
        ("averaged", -2, 4, [0, -1, 0, -1]),
        ("averaged", 9, 4, [1, 1, 1, 1]),
        ("averaged", 0, 3, [0, 0, 0]),
        ("radix", 6, 4, [0, 1, 1, 0]),
        ("radix", -5, 3, [-1, 0, -1]),
    ],
)
def test_how_an_integer_is_spoken(bench, case, emission, code, T, train):
    tau = np.full((1, 1), 2**62, dtype=np.int64)
    rows = np.zeros((T, 1))
    example = case("StaircaseFire", rows, tau, [code], [0], [0], T=T, emission=emission)
    spikes, _, s = bench.agree(example)
    assert spikes.ravel().tolist() == train
    assert s.tolist() == [[code]]


@settings(max_examples=60)
@given(data=st.data())
def test_it_settles_at_the_staircase(makers, case, data):
    """Unary: within as many steps after the last input as the tracer can be away."""
    busy = data.draw(makers["StaircaseFire"](emission=st.just("unary")))
    currents, tau, s_min, acc_init, s_init, _ = busy.inputs
    rows = in_time(busy, currents)
    lowest, highest = int(s_min[0]), int(s_min[0]) + tau.shape[1]
    start = int(s_init.flat[0]) if s_init.size else 0
    rest = max(highest, start) - min(lowest, start)
    both = np.concatenate([rows, np.zeros((rest + 1, *rows.shape[1:]), rows.dtype)])
    T = len(both)
    settled = case(
        "StaircaseFire", both.reshape(-1, *currents.shape[1:]), *busy.inputs[1:-1], T=T,
        emission="unary",
    )  # fmt: skip
    spikes, acc, s = settled.window()
    final = rows.sum(axis=0).astype(np.int64) + acc_init
    np.testing.assert_array_equal(acc, final)
    np.testing.assert_array_equal(s, staircase(final, tau, lowest))
    assert not in_time(settled, spikes)[-1].any()
    np.testing.assert_array_equal(in_time(settled, spikes).sum(axis=0), s - s_init)


@settings(max_examples=60)
@given(data=st.data())
def test_averaged_spikes_are_as_many_as_the_integer_and_evenly_spread(makers, data):
    case = data.draw(makers["StaircaseFire"](emission=st.just("averaged")))
    spikes, acc, s = case.window()
    rows = in_time(case, spikes)
    np.testing.assert_array_equal(acc, in_time(case, case.inputs[0]).sum(axis=0) + case.inputs[3])
    np.testing.assert_array_equal(rows.sum(axis=0), np.clip(s, -case.steps, case.steps))
    # No prefix is more than one spike away from its share.
    steps = np.arange(1, case.steps + 1).reshape(-1, *[1] * s.ndim)
    share = np.clip(np.abs(s), 0, case.steps) * steps / case.steps
    assert (np.abs(np.abs(rows.cumsum(axis=0)) - share) < 1).all()
    assert (rows * np.sign(s) >= 0).all()


@settings(max_examples=60)
@given(data=st.data())
def test_radix_spikes_are_the_bits_of_the_integer(makers, data):
    case = data.draw(makers["StaircaseFire"](emission=st.just("radix")))
    spikes, acc, s = case.window()
    powers = 2 ** np.arange(case.steps)[::-1].reshape(-1, *[1] * s.ndim)
    np.testing.assert_array_equal((in_time(case, spikes) * powers).sum(axis=0), s)
    received = (in_time(case, case.inputs[0]) * powers).sum(axis=0)
    np.testing.assert_array_equal(acc, received + case.inputs[3] * 2**case.steps)


@pytest.mark.parametrize(("current", "state"), [((12, 3, None), (None, 3, None)), ((0, 3), (0, 3))])
def test_inferred_shapes(current, state):
    spec = OPS.get("StaircaseFire")
    assert spec.infer_shapes([current, (3, 9), *[(1,)] * 3, ()], {}) == (current, state, state)
