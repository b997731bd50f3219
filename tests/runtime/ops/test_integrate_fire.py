"""IntegrateFire: hand-made examples, the definition in scalars, bookkeeping, streaming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def by_hand(case):
    """The definition for one neuron at a time, in Python's own numbers."""
    currents, theta, v_init, _ = case.inputs
    n = currents.shape[0] // case.steps
    shape = (n, *currents.shape[1:])
    spikes = np.zeros((case.steps, *shape))
    final = np.zeros(shape)
    for place in np.ndindex(shape):
        threshold = float(np.broadcast_to(theta, shape)[place])
        v = float(np.broadcast_to(v_init, shape)[place])
        for t in range(case.steps):
            v += float(currents[(t * n + place[0], *place[1:])])
            if v >= threshold:
                spikes[(t, *place)] = 1
                v = v - threshold if case.attributes["reset"] == "subtract" else 0.0
        final[place] = v
    return spikes.reshape(currents.shape), final


@pytest.mark.parametrize(
    ("reset", "spikes", "v"),
    [
        # v before the reset: 3, 6, 5, 4; the last spike is at exactly v == theta.
        ("subtract", [0, 1, 1, 1], 0),
        # 3, 6, 3, 6.
        ("zero", [0, 1, 0, 1], 0),
    ],
)
def test_constant_current(bench, case, reset, spikes, v):
    example = case("IntegrateFire", [[3]] * 4, [4], [0], T=4, reset=reset)
    got, final = bench.agree(example)
    assert got.ravel().tolist() == spikes
    assert final.tolist() == [[v]]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_fires_at_exactly_theta(bench, case, reset):
    spikes, final = bench.agree(case("IntegrateFire", [[2]], [2], [0], T=1, reset=reset))
    assert (spikes.tolist(), final.tolist()) == ([[1]], [[0]])


def test_does_not_fire_just_below_theta(bench, case):
    below = np.nextafter(np.float32(2), np.float32(0))
    spikes, final = bench.agree(case("IntegrateFire", [[below]], [2], [0], T=1, reset="subtract"))
    assert spikes.tolist() == [[0]]
    assert final[0, 0] == below


@pytest.mark.parametrize(("reset", "v"), [("subtract", [7, 14]), ("zero", [0, 0])])
def test_at_most_one_spike_a_step(bench, case, reset, v):
    # v before the reset: 10, 17 (subtract) or 10, 10 (zero), theta = 3.
    for steps in (1, 2):
        spikes, final = bench.agree(
            case("IntegrateFire", [[10]] * steps, [3], [0], T=steps, reset=reset)
        )
        assert spikes.ravel().tolist() == [1] * steps
        assert final.item() == v[steps - 1]


def test_negative_potential_stays(bench, case):
    # v: -5, -2, 1, 4 -> spike.
    spikes, final = bench.agree(
        case("IntegrateFire", [[-5], [3], [3], [3]], [4], [0], T=4, reset="subtract")
    )
    assert spikes.ravel().tolist() == [0, 0, 0, 1]
    assert final.item() == 0


def test_rows_are_time_major(bench, case):
    # Two samples: the first gets 2 and 0, the second 0 and 2.
    rows = [[2], [0], [0], [2]]
    spikes, final = bench.agree(case("IntegrateFire", rows, [2], [0], T=2, reset="subtract"))
    assert spikes.ravel().tolist() == [1, 0, 0, 1]
    assert final.ravel().tolist() == [0, 0]


def test_thresholds_and_potentials_per_channel_and_sample(bench, case):
    # Channels have theta 1 and 3; the samples start at 0 and 2; the current is 1, T = 2.
    theta = np.reshape([1, 3], (2, 1))
    v_init = np.reshape([0, 2], (2, 1, 1))
    spikes, final = bench.agree(
        case("IntegrateFire", np.ones((4, 2, 1)), theta, v_init, T=2, reset="subtract")
    )
    #                                   t=0, n=0  t=0, n=1  t=1, n=0  t=1, n=1
    assert spikes.squeeze(2).tolist() == [[1, 0], [1, 1], [1, 0], [1, 0]]
    assert final.squeeze(2).tolist() == [[0, 2], [2, 1]]


@settings(max_examples=300)
@given(data=st.data())
def test_agrees_with_the_definition_and_all_backends(makers, bench, data):
    case = data.draw(makers["IntegrateFire"]())
    spikes, final = bench.agree(case)
    want_spikes, want_final = by_hand(case)
    np.testing.assert_array_equal(spikes, want_spikes)
    np.testing.assert_array_equal(final, want_final)


FRACTIONS = st.floats(-8, 8, width=32)


@given(
    currents=st.lists(FRACTIONS, min_size=6, max_size=6),
    v=FRACTIONS,
    theta=st.floats(2**-10, 8, width=32),
    reset=st.sampled_from(["subtract", "zero"]),
)
def test_backends_agree_on_fractions(case, bench, currents, v, theta, reset):
    rows = np.reshape(currents, (6, 1))
    bench.agree(case("IntegrateFire", rows, [theta], [v], T=3, reset=reset))


@given(data=st.data())
def test_spikes_are_zero_or_one(makers, data):
    spikes, _ = data.draw(makers["IntegrateFire"]()).window()
    assert set(np.unique(spikes)) <= {0, 1}


@given(data=st.data())
def test_soft_reset_keeps_the_books(makers, bench, data):
    case = data.draw(makers["IntegrateFire"](reset=st.just("subtract")))
    currents, theta, v_init, _ = case.inputs
    spikes, final = bench.stock(case)
    n = final.shape[0]
    in_time = (case.steps, n, *currents.shape[1:])
    emitted = theta * spikes.reshape(in_time).sum(axis=0)
    received = currents.reshape(in_time).sum(axis=0) + v_init - final
    np.testing.assert_array_equal(emitted, received)


@given(data=st.data())
def test_hard_reset_forgets(makers, bench, data):
    """After a spike the future does not depend on the past."""
    case = data.draw(makers["IntegrateFire"](reset=st.just("zero"), N=st.just(2)))
    currents, theta, _, _ = case.inputs
    spikes, final = bench.stock(case)
    last = spikes.reshape(case.steps, 2, *currents.shape[1:])[-1]
    assert np.all(final[last == 1] == 0)
    assert np.all((final < theta)[last == 0])


@given(data=st.data())
def test_streaming(makers, bench, data):
    """One window equals windows of one step, and any other split, state fed back."""
    case = data.draw(makers["IntegrateFire"](N=st.integers(1, 3)))
    whole = case.window()
    cut = data.draw(st.integers(1, case.steps))
    ones = [1] * case.steps
    for parts in (ones, [p for p in (cut, case.steps - cut) if p]):
        for way in (bench.stock, lambda c: c.window()):
            spikes, final = bench.in_parts(case, parts, way)
            np.testing.assert_array_equal(spikes, whole[0])
            np.testing.assert_array_equal(final, whole[1])


@pytest.mark.parametrize(
    ("currents", "outputs"),
    [
        (("rows", 3, "H"), (("rows", 3, "H"), (None, 3, "H"))),
        ((12, 3, None), ((12, 3, None), (None, 3, None))),
        ((0, 3), ((0, 3), (0, 3))),
        (("rows",), (("rows",), (None,))),
    ],
)
def test_inferred_shapes(currents, outputs):
    spec = OPS.get("IntegrateFire")
    assert spec.infer_shapes([currents, (1,), (1,), ()], {"reset": "subtract"}) == outputs
