"""LeakyIntegrateFire: hand-made examples, the definition in scalars, what the leak does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS

LEAK_MODES = ("linear", "factor")


def by_hand(case):
    """The definition for one neuron at a time; a decay leaves fractions, so in float32."""
    currents, theta, leak, v_init, _ = case.inputs
    n = currents.shape[0] // case.steps
    shape = (n, *currents.shape[1:])
    spikes, final = np.zeros((case.steps, *shape)), np.zeros(shape)
    for place in np.ndindex(shape):
        threshold, lost, v = (np.broadcast_to(a, shape)[place] for a in (theta, leak, v_init))
        for t in range(case.steps):
            current = currents[(t * n + place[0], *place[1:])]
            linear = case.attributes["leak_mode"] == "linear"
            v = v + current - lost if linear else lost * v + current
            if v >= threshold:
                spikes[(t, *place)] = 1
                v = v - threshold if case.attributes["reset"] == "subtract" else np.float32(0)
        final[place] = v
    return spikes.reshape(currents.shape), final


@pytest.mark.parametrize(
    ("leak_mode", "leak", "reset", "spikes", "v"),
    [
        # v before the reset: 3, 6, 5, 4.
        ("linear", 1, "subtract", [0, 1, 1, 1], 0),
        # 3, 6, 3, 6.
        ("linear", 1, "zero", [0, 1, 0, 1], 0),
        # A negative leak charges: 6, 8, 10, 12.
        ("linear", -2, "subtract", [1, 1, 1, 1], 8),
        # 4, 4, 4, 4.
        ("factor", 0.5, "subtract", [1, 1, 1, 1], 0),
        # Nothing is kept.
        ("factor", 0, "zero", [1, 1, 1, 1], 0),
    ],
)
def test_constant_current(bench, case, leak_mode, leak, reset, spikes, v):
    example = case(
        "LeakyIntegrateFire", [[4]] * 4, [4], [leak], [0], T=4, leak_mode=leak_mode, reset=reset
    )
    got, final = bench.agree(example)
    assert got.ravel().tolist() == spikes
    assert final.tolist() == [[v]]


def test_a_linear_leak_acts_below_zero(bench, case):
    example = case(
        "LeakyIntegrateFire",
        [[0]] * 3,
        [4],
        [1],
        [1],
        T=3,
        leak_mode="linear",
        reset="subtract",
    )
    _, final = bench.agree(example)
    assert final.tolist() == [[-2]]


def test_a_decay_comes_to_rest(bench, case):
    """Under a constant current c the potential of a silent neuron tends to c / (1 − factor)."""
    example = case(
        "LeakyIntegrateFire",
        np.ones((60, 1)),
        [5],
        [0.75],
        [0],
        T=60,
        leak_mode="factor",
        reset="subtract",
    )
    spikes, final = bench.agree(example)
    assert not spikes.any()
    np.testing.assert_allclose(final, [[4]], rtol=1e-6)


@settings(max_examples=100)
@given(data=st.data())
def test_the_definition_in_scalars(makers, data):
    case = data.draw(makers["LeakyIntegrateFire"]())
    for got, want in zip(case.window(), by_hand(case), strict=True):
        np.testing.assert_array_equal(got, want)


@given(data=st.data())
def test_without_a_leak_it_is_integrate_fire(makers, case, same_bits, data):
    plain = data.draw(makers["IntegrateFire"]())
    currents, theta, v_init, steps = plain.inputs
    for mode, nothing in zip(LEAK_MODES, ([0], [1]), strict=True):
        leaky = case(
            "LeakyIntegrateFire",
            currents,
            theta,
            nothing,
            v_init,
            T=steps,
            leak_mode=mode,
            reset=plain.attributes["reset"],
        )
        for got, want in zip(leaky.window(), plain.window(), strict=True):
            assert same_bits(got, want)


@given(data=st.data())
def test_a_linear_leak_keeps_the_books(makers, bench, data):
    case = data.draw(
        makers["LeakyIntegrateFire"](leak_mode=st.just("linear"), reset=st.just("subtract"))
    )
    currents, theta, leak, v_init, _ = case.inputs
    spikes, final = bench.stock(case)
    in_time = (case.steps, final.shape[0], *currents.shape[1:])
    emitted = theta * spikes.reshape(in_time).sum(axis=0)
    received = currents.reshape(in_time).sum(axis=0) - case.steps * leak + v_init - final
    np.testing.assert_array_equal(emitted, received)


FRACTIONS = st.floats(-8, 8, width=32)


@given(
    currents=st.lists(FRACTIONS, min_size=6, max_size=6),
    v=FRACTIONS,
    leak=st.floats(0, 1, width=32),
    theta=st.floats(2**-10, 8, width=32),
    leak_mode=st.sampled_from(LEAK_MODES),
)
def test_backends_agree_on_fractions(case, bench, currents, v, leak, theta, leak_mode):
    rows = np.reshape(currents, (6, 1))
    attributes = {"leak_mode": leak_mode, "reset": "subtract"}
    bench.agree(case("LeakyIntegrateFire", rows, [theta], [leak], [v], T=3, **attributes))


@pytest.mark.parametrize(
    ("currents", "outputs"),
    [((12, 3, None), ((12, 3, None), (None, 3, None))), ((0, 3), ((0, 3), (0, 3)))],
)
def test_inferred_shapes(currents, outputs):
    spec = OPS.get("LeakyIntegrateFire")
    assert spec.infer_shapes([currents, (1,), (1,), (1,), ()], spec.defaults()) == outputs
