"""RateEncode: counts, and how evenly they are spread."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def trains(case, values, low, high, T, quantize="nearest"):
    """Spikes [T, values]."""
    return case("RateEncode", [values], [low], [high], T=T, quantize=quantize)


@pytest.mark.parametrize(
    ("value", "spikes"),
    [
        (0, [0, 0, 0, 0, 0]),
        (1, [0, 0, 1, 0, 0]),
        (2, [0, 1, 0, 1, 0]),
        (3, [1, 0, 1, 0, 1]),
        (4, [1, 1, 0, 1, 1]),
        (5, [1, 1, 1, 1, 1]),
        (-3, [0, 0, 0, 0, 0]),
        (9, [1, 1, 1, 1, 1]),
    ],
)
def test_five_steps(bench, case, value, spikes):
    (got,) = bench.agree(trains(case, [value], 0, 5, 5))
    assert got.ravel().tolist() == spikes


def test_nearest_and_floor(bench, case):
    values = [0.25, 0.5, 0.75, 1.5, 2.5]
    for quantize, counts in (("nearest", [0, 0, 1, 2, 2]), ("floor", [0, 0, 0, 1, 2])):
        (got,) = bench.agree(trains(case, values, 0, 4, 4, quantize))
        assert got.sum(axis=0).tolist() == counts


def test_a_range_that_does_not_begin_at_zero(bench, case):
    """Yan 2022: T_min/T_q = −0.5, T_max/T_q = 1.5, T = 4."""
    (got,) = bench.agree(trains(case, [-0.5, 0, 0.5, 1, 1.5], -0.5, 1.5, 4))
    assert got.sum(axis=0).tolist() == [0, 1, 2, 3, 4]


@settings(max_examples=60)
@given(
    T=st.integers(1, 64),
    low=st.floats(-3, 3, width=32),
    extent=st.floats(0.25, 4, width=32),
)
def test_the_range_s_own_levels_keep_their_count(case, T, low, extent):
    low = np.float32(low)
    high = low + np.float32(extent)
    k = np.arange(T + 1)
    values = low + (high - low) * k.astype(np.float32) / np.float32(T)
    (got,) = trains(case, values, low, high, T).window()
    np.testing.assert_array_equal(got.sum(axis=0), k)


@given(data=st.data())
def test_counts_stand_for_the_value(makers, data):
    case = data.draw(makers["RateEncode"](quantize=st.just("nearest")))
    x, low, high, _ = case.inputs
    (got,) = case.window()
    assert set(np.unique(got)) <= {0, 1}
    count = got.reshape(case.steps, *x.shape).sum(axis=0)
    decoded = low + (high - low) * count / case.steps
    limit = (high - low) / (2 * case.steps) + 1e-5
    assert (np.abs(decoded - np.clip(x, low, high)) <= limit).all()


@pytest.mark.parametrize("T", [1, 2, 7, 16])
def test_spikes_are_spread_evenly_and_centred(case, T):
    """Any two stretches of equal length differ by one spike at most."""
    (got,) = trains(case, np.arange(T + 1), 0, T, T).window()
    for length in range(1, T + 1):
        counts = np.stack([got[s : s + length].sum(axis=0) for s in range(T - length + 1)])
        assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1
    middles = (got * np.arange(T)[:, None]).sum(axis=0)[1:] / got.sum(axis=0)[1:]
    assert (np.abs(middles - (T - 1) / 2) <= 0.5).all()


@pytest.mark.parametrize(
    ("x", "spikes"), [(("N", 3), (None, 3)), ((0, 3), (0, 3)), ((None,), (None,))]
)
def test_inferred_shapes(x, spikes):
    spec = OPS.get("RateEncode")
    assert spec.infer_shapes([x, (1,), (1,), ()], spec.defaults()) == (spikes,)
