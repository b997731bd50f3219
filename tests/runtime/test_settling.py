"""When nothing moves any more: by hand."""

import numpy as np
import pytest

from onnx2snn_runtime.carry import State
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.settling import (
    answer_at_rest,
    at_rest,
    check_can_settle,
    last_active_step,
)

CARRIED = (State("v.before", "v", False), State("t.before", "t", True))


def state(v, t):
    return {"v.before": np.array([v]), "t.before": np.array(t)}


SILENT, LOUD = [np.zeros(3)], [np.zeros(3), np.array([0, 0, 0.5])]


@pytest.mark.parametrize(
    ("activity", "before", "after", "rest"),
    [
        (SILENT, state(2, 1), state(2, 4), True),  # the count of steps does not matter
        (SILENT, state(2, 1), state(3, 4), False),  # silent, but a potential moves
        (LOUD, state(2, 1), state(2, 4), False),  # up and down again
        (SILENT, {}, state(2, 4), False),  # what was before the first window is not known
    ],
)
def test_at_rest(activity, before, after, rest):
    assert at_rest(activity, before, after, CARRIED) is rest


def test_answer_at_rest():
    """The answers of the first window at rest; nothing behind it is simulated."""

    def windows(*moves):
        for t, (answer, move) in enumerate(moves):
            yield [np.array([answer]), np.array([move])], state(move, t)
        pytest.fail("simulated to the end")

    moves = [(1, 1), (2, 1), (3, 0), (4, 0), (5, 0)]
    assert answer_at_rest(windows(*moves), 1, CARRIED) == [np.array([4])]


def test_never_at_rest():
    windows = [([np.array([t]), np.array([1])], state(1, t)) for t in range(3)]
    assert answer_at_rest(windows, 1, CARRIED) == [np.array([2])]


def test_last_active_step():
    # [2 populations, 4 steps, 4 samples]
    activity = np.zeros((2, 4, 4))
    activity[0, 0, 0] = 1
    activity[1, 2, 0] = 0.1
    activity[0, 3, 1] = activity[0, 0, 2] = 1
    settled = last_active_step(activity)
    assert settled.dtype == np.int64
    assert settled.tolist() == [3, 4, 1, 0]
    assert last_active_step(activity[:0]).tolist() == [0, 0, 0, 0]


def test_check_can_settle(staircases, network, waiting):
    for emission in ("once", "unary"):
        check_can_settle(staircases(emission=emission))
    for model in (network(mode="sum"), waiting(), staircases(mode="last")):
        with pytest.raises(BackendError) as error:
            check_can_settle(model)
        assert error.value.remedy
