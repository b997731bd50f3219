"""AveragedIntegrateFire: the paper's example, the count in closed form, even spikes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def in_time(case, array):
    n = array.shape[0] // case.steps
    return array.reshape(case.steps, n, *array.shape[1:])


def test_the_paper_s_example(bench, case):
    """Yan 2022: currents 0.1, 0.2, 0.5, 0.8, 0.9 at threshold 1, here ten times as large."""
    rows = np.reshape([1, 2, 5, 8, 9], (5, 1))
    spikes, final = bench.agree(case("AveragedIntegrateFire", rows, [10], [0], T=5))
    assert spikes.ravel().tolist() == [0, 1, 0, 1, 0]
    assert final.tolist() == [[5]]
    plain, _ = bench.agree(case("IntegrateFire", rows, [10], [0], T=5, reset="subtract"))
    assert plain.ravel().tolist() == [0, 0, 0, 1, 1]


def test_it_resets_at_exactly_theta(bench, case):
    """Where the paper's algorithm fires at ≥ but resets at >, no charge may be left."""
    spikes, final = bench.agree(case("AveragedIntegrateFire", [[2], [2]], [2], [0], T=2))
    assert spikes.ravel().tolist() == [1, 1]
    assert final.tolist() == [[0]]


def test_counts_that_a_mean_in_float32_misses(bench, case):
    """One unit short of k thresholds and exactly k thresholds, for every k of T = 31."""
    theta, T = 7, 31
    totals = np.array([theta * k - short for k in range(1, T + 1) for short in (1, 0)])
    rows = np.zeros((T, totals.size))
    rows[4] = totals
    spikes, _ = bench.agree(case("AveragedIntegrateFire", rows, [theta], [0], T=T))
    np.testing.assert_array_equal(spikes.sum(axis=0), totals // theta)
    mean = (totals / np.float32(T)).astype(np.float32)
    v, counts = np.zeros_like(mean), 0
    for _ in range(T):
        v = v + mean
        counts = counts + (v >= theta)
        v = np.where(v >= theta, v - np.float32(theta), v)
    assert (counts != totals // theta).any()  # what the op is spared


@settings(max_examples=100)
@given(data=st.data())
def test_the_count_in_closed_form(makers, bench, data):
    case = data.draw(makers["AveragedIntegrateFire"](in_range=st.just(True)))
    currents, theta, v_init, _ = case.inputs
    spikes, _ = bench.stock(case)
    total = in_time(case, currents).sum(axis=0)
    counts = np.clip(np.floor((total + v_init) / theta), 0, case.steps)
    np.testing.assert_array_equal(in_time(case, spikes).sum(axis=0), counts)


@given(data=st.data())
def test_it_keeps_the_books(makers, data):
    """In units 1/T of the current's, where everything is a whole number."""
    case = data.draw(makers["AveragedIntegrateFire"]())
    currents, theta, v_init, _ = case.inputs
    spikes, final = case.window()
    received = in_time(case, currents).sum(axis=0) + v_init
    emitted = theta * in_time(case, spikes).sum(axis=0)
    np.testing.assert_array_equal(final, (received - emitted).astype(np.float32))


@given(data=st.data())
def test_spikes_are_spread_evenly(makers, data):
    """Any two stretches of equal length differ by one spike at most."""
    case = data.draw(makers["AveragedIntegrateFire"](in_range=st.just(True)))
    train = in_time(case, case.window()[0])
    for length in range(1, case.steps + 1):
        starts = range(case.steps - length + 1)
        counts = np.stack([train[s : s + length].sum(axis=0) for s in starts])
        assert (counts.max(axis=0) - counts.min(axis=0)).max(initial=0) <= 1


@given(data=st.data())
def test_the_order_of_the_currents_does_not_matter(makers, case, data):
    example = data.draw(makers["AveragedIntegrateFire"]())
    currents, theta, v_init, steps = example.inputs
    order = data.draw(st.permutations(range(example.steps)))
    shuffled = in_time(example, currents)[list(order)].reshape(currents.shape)
    other = case("AveragedIntegrateFire", shuffled, theta, v_init, T=steps)
    for got, want in zip(other.window(), example.window(), strict=True):
        np.testing.assert_array_equal(got, want)


@given(
    currents=st.lists(st.floats(-8, 8, width=32), min_size=6, max_size=6),
    v=st.floats(-8, 8, width=32),
    theta=st.floats(2**-10, 8, width=32),
)
def test_backends_agree_on_fractions(case, bench, currents, v, theta):
    bench.agree(case("AveragedIntegrateFire", np.reshape(currents, (6, 1)), [theta], [v], T=3))


@settings(max_examples=30)
@given(
    currents=st.lists(st.integers(-(2**23), 2**23), min_size=12, max_size=12),
    theta=st.integers(1, 2**23),
)
def test_large_whole_numbers_stay_exact(bench, case, currents, theta):
    rows = np.reshape(currents, (12, 1))
    spikes, _ = bench.agree(case("AveragedIntegrateFire", rows, [theta], [0], T=12))
    count = min(max(Fraction(sum(currents), theta).__floor__(), 0), 12)
    assert spikes.sum() == count


@pytest.mark.parametrize(
    ("currents", "outputs"),
    [((12, 3, None), ((12, 3, None), (None, 3, None))), ((0, 3), ((0, 3), (0, 3)))],
)
def test_inferred_shapes(currents, outputs):
    spec = OPS.get("AveragedIntegrateFire")
    assert spec.infer_shapes([currents, (1,), (1,), ()], {}) == outputs
