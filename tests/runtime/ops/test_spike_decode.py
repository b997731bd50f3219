"""SpikeDecode: hand-made examples, closed forms, cumulative answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS

MODES = ("mean", "sum", "last", "radix")


def decode(case, rows, T, mode, cumulative=0, acc_init=(0,), t_init=0, delay=0):
    """A case of a readout that starts anew, unless said otherwise."""
    attributes = {"mode": mode, "cumulative": cumulative, "delay": delay}
    return case("SpikeDecode", rows, acc_init, t_init, T=T, **attributes)


def closed_form(rows, mode, delay):
    """The answer from all steps at once; rows is [T, ...] of integers."""
    rows = rows[min(delay, len(rows) - 1) :]
    T = len(rows)
    weights = {
        "mean": np.ones(T),
        "sum": np.ones(T),
        "last": np.arange(1, T + 1) == T,
        "radix": 2.0 ** np.arange(T - 1, -1, -1),
    }[mode]
    total = np.tensordot(weights, rows.astype(np.float64), axes=1).astype(np.float32)
    return total / np.float32(T) if mode == "mean" else total


@pytest.mark.parametrize(
    ("mode", "answers"),
    [
        ("mean", [1, 0.5, np.float32(2) / np.float32(3), 0.75]),
        ("sum", [1, 1, 2, 3]),
        ("last", [1, 0, 1, 1]),
        ("radix", [1, 2, 5, 11]),  # 1, 10, 101, 1011 in binary
    ],
)
def test_hand_made(bench, case, mode, answers):
    rows = [[1], [0], [1], [1]]
    every, acc, steps = bench.agree(decode(case, rows, 4, mode, cumulative=1))
    assert every.ravel().tolist() == answers
    final, *_ = bench.agree(decode(case, rows, 4, mode))
    assert final.tolist() == [[answers[-1]]]
    assert acc.item() == (3 if mode == "mean" else answers[-1])
    assert steps == 4


@pytest.mark.parametrize(
    ("mode", "answers", "acc"),
    [("mean", [2, 2], 8), ("sum", [6, 8], 8), ("last", [1, 2], 2), ("radix", [11, 24], 24)],
)
def test_goes_on(bench, case, mode, answers, acc):
    """After two steps that left 5."""
    for cumulative, want in ((1, answers), (0, answers[1:])):
        later = decode(case, [[1], [2]], 2, mode, cumulative, acc_init=[5], t_init=2)
        answer, acc_final, steps = bench.agree(later)
        assert answer.ravel().tolist() == want
        assert (acc_final.item(), steps) == (acc, 4)


@pytest.mark.parametrize(
    ("mode", "answer"), [("mean", [3, 4]), ("sum", [6, 8]), ("last", [5, 6]), ("radix", [7, 10])]
)
def test_rows_are_time_major(bench, case, mode, answer):
    # Sample 0 gets 1 and 5, sample 1 gets 2 and 6.
    rows = [[1], [2], [5], [6]]
    got, *_ = bench.agree(decode(case, rows, 2, mode))
    assert got.ravel().tolist() == answer


@pytest.mark.parametrize(
    ("delay", "answers"),
    [(0, [8, 6, 6, 5.5]), (1, [8, 4, 5, np.float32(14) / 3]), (2, [8, 4, 6, 5]), (9, [8, 4, 6, 4])],
)
def test_first_steps_left_out(bench, case, delay, answers):
    """Until they are over, the newest current is the answer."""
    rows = [[8], [4], [6], [4]]
    every, *_ = bench.agree(decode(case, rows, 4, "mean", cumulative=1, delay=delay))
    assert every.ravel().tolist() == answers
    final, *_ = bench.agree(decode(case, rows, 4, "mean", delay=delay))
    assert final.item() == answers[-1]


@given(data=st.data(), cut=st.integers(1, 7), delay=st.integers(0, 9), mode=st.sampled_from(MODES))
def test_a_delay_does_not_see_how_time_is_cut(bench, case, data, cut, delay, mode):
    rows = np.array(data.draw(st.lists(st.integers(-8, 8), min_size=8, max_size=8)))[:, None]
    whole, acc, _ = bench.agree(decode(case, rows, 8, mode, 1, delay=delay))
    first, between, t = bench.agree(decode(case, rows[:cut], cut, mode, 1, delay=delay))
    rest, end, _ = bench.agree(
        decode(case, rows[cut:], 8 - cut, mode, 1, acc_init=between, t_init=t, delay=delay)
    )
    np.testing.assert_array_equal(np.concatenate([first, rest]), whole)
    np.testing.assert_array_equal(end, acc)


@settings(max_examples=300)
@given(data=st.data())
def test_agrees_with_the_closed_form_and_all_backends(makers, bench, data, same_bits):
    case = data.draw(makers["SpikeDecode"](fresh=st.just(True)))
    got, *_ = bench.agree(case)
    rows = case.inputs[0].reshape(case.steps, -1, *case.inputs[0].shape[1:])
    if case.inputs[0].size == 0:
        return
    mode, delay = case.attributes["mode"], case.attributes["delay"]
    if case.attributes["cumulative"]:
        want = np.concatenate([closed_form(rows[: t + 1], mode, delay) for t in range(case.steps)])
    else:
        want = closed_form(rows, mode, delay)
    assert same_bits(got, want)


@given(data=st.data(), mode=st.sampled_from(MODES))
def test_the_last_cumulative_row_is_the_answer(makers, bench, data, mode):
    case = data.draw(makers["SpikeDecode"](mode=st.just(mode), cumulative=st.just(1)))
    short = type(case)(case.spec, case.inputs, case.attributes | {"cumulative": 0})
    (every, *_), (final, *_) = bench.stock(case), bench.stock(short)
    assert every.shape[0] == case.steps * final.shape[0]
    np.testing.assert_array_equal(every[every.shape[0] - final.shape[0] :], final)


@given(data=st.data(), mode=st.sampled_from(MODES))
def test_a_cumulative_row_is_the_answer_of_a_shorter_window(makers, bench, data, mode):
    case = data.draw(
        makers["SpikeDecode"](
            N=st.integers(1, 3), T=st.integers(2, 8), mode=st.just(mode), cumulative=st.just(1)
        )
    )
    n = case.inputs[0].shape[0] // case.steps
    t = data.draw(st.integers(1, case.steps - 1))
    short = type(case)(
        case.spec,
        (case.inputs[0][: t * n].copy(), *case.inputs[1:3], np.array(t, np.int64)),
        case.attributes | {"cumulative": 0},
    )
    np.testing.assert_array_equal(bench.stock(case)[0][(t - 1) * n : t * n], bench.stock(short)[0])


@given(
    rows=st.lists(st.floats(-1e6, 1e6, width=32), min_size=8, max_size=8),
    mode=st.sampled_from(MODES),
    cumulative=st.sampled_from([0, 1]),
)
def test_backends_agree_on_fractions(case, bench, rows, mode, cumulative):
    bench.agree(decode(case, np.reshape(rows, (8, 1)), 4, mode, cumulative))


@pytest.mark.parametrize("mode", ["mean", "last"])
def test_undoes_the_direct_encoder(bench, case, mode):
    values = np.random.default_rng(1).integers(-9, 9, (3, 2, 4))
    (currents,) = bench.agree(case("DirectEncode", values, T=7))
    back, *_ = bench.agree(decode(case, currents, 7, mode))
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(
    ("currents", "cumulative", "answer"),
    [
        (("rows", 3, "H"), 0, (None, 3, "H")),
        (("rows", 3, "H"), 1, ("rows", 3, "H")),
        ((12, 3), 0, (None, 3)),
        ((12, 3), 1, (12, 3)),
        ((0, 3), 0, (0, 3)),
    ],
)
def test_inferred_shapes(currents, cumulative, answer):
    attributes = {"mode": "mean", "cumulative": cumulative}
    found = OPS.get("SpikeDecode").infer_shapes([currents, (1,), (), ()], attributes)
    state = (0 if currents[0] == 0 else None, *currents[1:])
    assert found == (answer, state, ())
