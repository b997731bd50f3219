"""SignedIntegrateFire: hand-made examples, bookkeeping, where it settles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def in_time(case, array):
    n = array.shape[0] // case.steps
    return array.reshape(case.steps, n, *array.shape[1:])


def test_a_spike_given_too_early_is_taken_back(bench, case):
    rows = [[4], [-4], [0], [9], [0], [0]]
    example = case("SignedIntegrateFire", rows, [4], [0], [9], [2], [0], T=6)
    spikes, v, s = bench.agree(example)
    # v before the spike: 6, -2, 2, 11, 7, 3.
    assert spikes.ravel().tolist() == [1, -1, 0, 1, 1, 0]
    assert (v.tolist(), s.tolist()) == ([[3]], [[2]])


def test_limits(bench, case):
    """Above s_max and below s_min the charge stays."""
    up = case("SignedIntegrateFire", [[5]] * 3, [1], [0], [2], [0], [0], T=3)
    spikes, v, s = bench.agree(up)
    assert spikes.ravel().tolist() == [1, 1, 0]
    assert (v.tolist(), s.tolist()) == ([[13]], [[2]])
    down = case("SignedIntegrateFire", [[-5]] * 3, [1], [-1], [2], [0], [0], T=3)
    spikes, v, s = bench.agree(down)
    assert spikes.ravel().tolist() == [-1, 0, 0]
    assert (v.tolist(), s.tolist()) == ([[-14]], [[-1]])


@pytest.mark.parametrize(("v", "spike"), [(-1, -1), (0, 0), (3, 0), (4, 1)])
def test_where_it_fires(bench, case, v, spike):
    example = case("SignedIntegrateFire", [[0]], [4], [-9], [9], [v], [0], T=1)
    assert bench.agree(example)[0].tolist() == [[spike]]


@given(data=st.data())
def test_it_keeps_the_books(makers, bench, data):
    case = data.draw(makers["SignedIntegrateFire"]())
    currents, theta, s_min, s_max, v_init, s_init, _ = case.inputs
    spikes, v, s = bench.stock(case)
    count = in_time(case, spikes).sum(axis=0)
    received = in_time(case, currents).sum(axis=0) + v_init - v
    np.testing.assert_array_equal(theta * count, received)
    np.testing.assert_array_equal(s, s_init + count)
    assert set(np.unique(spikes)) <= {-1, 0, 1}
    assert (s <= np.maximum(s_max, s_init)).all()
    assert (s >= np.minimum(s_min, s_init)).all()


@settings(max_examples=100)
@given(data=st.data())
def test_it_settles_at_the_quantized_sum(makers, case, data):
    """Whatever the order of the input, once it is silent for long enough."""
    busy = data.draw(makers["SignedIntegrateFire"]())
    currents, theta, s_min, s_max, v_init, _, _ = busy.inputs
    rows = in_time(busy, currents)
    rest = busy.steps + int(s_max.max(initial=0) - s_min.min(initial=0))
    quiet = np.zeros((rest, *rows.shape[1:]))
    T = busy.steps + rest
    both = np.concatenate([rows, quiet]).reshape(-1, *currents.shape[1:])
    settled = case("SignedIntegrateFire", both, theta, s_min, s_max, v_init, [0], T=T)
    spikes, _, s = settled.window()
    want = np.clip(np.floor((rows.sum(axis=0) + v_init) / theta), s_min, s_max)
    np.testing.assert_array_equal(s, want)
    assert not in_time(settled, spikes)[-1].any()


def test_half_a_threshold_rounds_to_the_nearest(bench, case):
    totals = np.arange(-3, 23)
    rows = np.zeros((12, totals.size))
    rows[0] = totals
    example = case("SignedIntegrateFire", rows, [4], [0], [5], [2], [0], T=12)
    _, _, s = bench.agree(example)
    np.testing.assert_array_equal(s[0], np.clip(np.floor(totals / 4 + 0.5), 0, 5))


@given(
    currents=st.lists(st.floats(-8, 8, width=32), min_size=6, max_size=6),
    v=st.floats(-8, 8, width=32),
    theta=st.floats(2**-10, 8, width=32),
)
def test_backends_agree_on_fractions(case, bench, currents, v, theta):
    rows = np.reshape(currents, (6, 1))
    bench.agree(case("SignedIntegrateFire", rows, [theta], [-1], [3], [v], [0], T=3))


@pytest.mark.parametrize(
    ("currents", "state"), [((12, 3, None), (None, 3, None)), ((0, 3), (0, 3))]
)
def test_inferred_shapes(currents, state):
    spec = OPS.get("SignedIntegrateFire")
    shapes = [currents, *[(1,)] * 5, ()]
    assert spec.infer_shapes(shapes, {}) == (currents, state, state)
