"""CalciumIntegrateFire: gate, leak, the rounding row, and what rounding comes to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def in_time(case, array):
    n = array.shape[0] // case.steps
    return array.reshape(case.steps, n, *array.shape[1:])


def train(bench, case, rows, *, theta=4, leak=0, v=0, s=0, gated=1, rounding=0):
    """Spikes and both states of one neuron."""
    example = case(
        "CalciumIntegrateFire",
        np.reshape(rows, (-1, 1)),
        [theta],
        [leak],
        [v],
        [s],
        T=len(rows),
        gated=gated,
        rounding=rounding,
    )
    spikes, v_final, s_final = bench.agree(example)
    return spikes.ravel().tolist(), v_final.item(), s_final.item()


def test_the_gate_opens_with_the_first_spike(bench, case):
    assert train(bench, case, [-5, 0, 9, -8]) == ([0, 0, 1, -1], -4, 0)
    # Free: v before the spike -5, -1, 8, -4.
    assert train(bench, case, [-5, 0, 9, -8], gated=0) == ([-1, 0, 1, -1], 0, -1)


@pytest.mark.parametrize(("v", "spike"), [(4, 1), (3, 0), (-3, 0), (-4, -1)])
def test_both_thresholds_are_reached_at_equality(bench, case, v, spike):
    assert train(bench, case, [v], gated=0)[0] == [spike]


@pytest.mark.parametrize(("v", "spike"), [(2, 1), (1, 0), (-1, 0), (-2, -1)])
def test_the_rounding_row_halves_them(bench, case, v, spike):
    """A spike still costs the whole threshold."""
    spikes, final, _ = train(bench, case, [v], gated=0, rounding=1)
    assert spikes == [spike]
    assert final == v - 4 * spike


def test_the_rounding_row_does_not_leak(bench, case):
    assert train(bench, case, [3, 3, 0], leak=1, rounding=1) == ([0, 1, 0], 0, 1)
    assert train(bench, case, [3, 3, 0], leak=1, rounding=0) == ([0, 1, 0], -1, 1)


def test_a_single_row_may_be_the_rounding_row(bench, case):
    assert train(bench, case, [3], leak=2, rounding=1) == ([1], -1, 1)


def test_the_gate_holds_in_the_rounding_row(bench, case):
    assert train(bench, case, [-3], rounding=1) == ([0], -3, 0)
    assert train(bench, case, [-3], rounding=1, s=1) == ([-1], 1, 0)


def test_a_negative_leak_is_a_bias(bench, case):
    assert train(bench, case, [0] * 5, leak=-2) == ([0, 1, 0, 1, 0], 2, 2)


@given(data=st.data())
def test_it_keeps_the_books(makers, bench, data):
    case = data.draw(makers["CalciumIntegrateFire"]())
    currents, theta, leak, v_init, s_init, _ = case.inputs
    spikes, v, s = bench.stock(case)
    count = in_time(case, spikes).sum(axis=0)
    leaking = case.steps - case.attributes["rounding"]
    received = in_time(case, currents).sum(axis=0) - leaking * leak + v_init - v
    np.testing.assert_array_equal(theta * count, received)
    np.testing.assert_array_equal(s, s_init + count)
    assert set(np.unique(spikes)) <= {-1, 0, 1}


@given(data=st.data())
def test_the_gate_keeps_the_tracer_from_falling_below_zero(makers, data):
    case = data.draw(makers["CalciumIntegrateFire"](gated=st.just(1)))
    spikes, _, _ = case.window()
    s_init = case.inputs[4]
    tracer = s_init + in_time(case, spikes).cumsum(axis=0)
    assert (tracer >= np.minimum(s_init, 0)).all()


@given(data=st.data())
def test_only_the_last_row_rounds(makers, case, same_bits, data):
    """A rounding window is a plain window, then a window of the rounding row alone."""
    whole = data.draw(makers["CalciumIntegrateFire"](rounding=st.just(1), T=st.integers(2, 8)))
    currents, *constants, v, s, _ = whole.inputs
    n = currents.shape[0] // whole.steps
    gated, trains = whole.attributes["gated"], []
    for rounding, rows in enumerate((currents[:-n], currents[-n:]) if n else (currents, currents)):
        part = case(
            "CalciumIntegrateFire",
            rows,
            *constants,
            v,
            s,
            T=1 if rounding else whole.steps - 1,
            gated=gated,
            rounding=rounding,
        )
        spikes, v, s = part.window()
        trains.append(spikes)
    for got, want in zip((np.concatenate(trains), v, s), whole.window(), strict=True):
        assert same_bits(got, want)


@settings(max_examples=50)
@given(
    rows=st.lists(st.integers(0, 6), min_size=1, max_size=10),
    theta=st.integers(6, 9),
    gated=st.sampled_from([0, 1]),
)
def test_it_rounds_a_sum_of_moderate_charges(bench, case, rows, theta, gated):
    """As long as no charge exceeds the threshold: to the nearest count, halves up."""
    spikes, v, s = train(bench, case, [*rows, 0], theta=theta, gated=gated, rounding=1)
    assert s == sum(spikes) == (2 * sum(rows) + theta) // (2 * theta)
    assert -theta / 2 <= v < theta / 2


@settings(max_examples=50)
@given(spikes=st.lists(st.integers(0, 4), min_size=1, max_size=10))
def test_the_pooling_neuron(bench, case, spikes):
    """Of a 2×2 pool: free, no leak, threshold 4; the mean of the counts, rounded."""
    train_out, _, s = train(bench, case, [*spikes, 0], gated=0, rounding=1)
    assert s == (sum(spikes) + 2) // 4
    assert set(train_out) <= {0, 1}


@given(
    currents=st.lists(st.floats(-8, 8, width=32), min_size=6, max_size=6),
    leak=st.floats(-2, 2, width=32),
    theta=st.floats(2**-10, 8, width=32),
    gated=st.sampled_from([0, 1]),
)
def test_backends_agree_on_fractions(case, bench, currents, leak, theta, gated):
    rows = np.reshape(currents, (6, 1))
    attributes = {"gated": gated, "rounding": 1}
    bench.agree(case("CalciumIntegrateFire", rows, [theta], [leak], [0], [0], T=3, **attributes))


def test_a_rounding_window_cannot_be_cut():
    spec = OPS.get("CalciumIntegrateFire")
    assert spec.needs_whole_window({"gated": 1, "rounding": 1})
    assert not spec.needs_whole_window({"gated": 1, "rounding": 0})


@pytest.mark.parametrize(
    ("currents", "state"), [((12, 3, None), (None, 3, None)), ((0, 3), (0, 3))]
)
def test_inferred_shapes(currents, state):
    spec = OPS.get("CalciumIntegrateFire")
    shapes = [currents, *[(1,)] * 4, ()]
    assert spec.infer_shapes(shapes, spec.defaults()) == (currents, state, state)
