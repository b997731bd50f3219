"""What integrate-and-fire ops share: firing, resets, the steps of a window, shapes."""

import numpy as np
import pytest

from onnx2snn_runtime.populations import fire, fire_signed, one_state, simulate, two_states


@pytest.mark.parametrize(("reset", "after"), [("subtract", [-1, 0, 1.5]), ("zero", [-1, 0, 0])])
def test_fire(reset, after):
    """At the threshold a neuron fires; one that does not keeps its potential."""
    spikes, v = fire(np.array([-1, 1, 2.5], np.float32), np.float32(1), reset)
    assert spikes.dtype == np.float32
    assert spikes.tolist() == [0, 1, 1]
    assert v.tolist() == after


def test_fire_signed():
    """A spike costs a threshold, a negative one gives it back; the tracer counts them."""
    v, s = np.array([3, -1, 1], np.float32), np.array([5, 5, 5], np.float32)
    up, down = np.array([True, False, False]), np.array([False, True, False])
    spikes, v, s = fire_signed(v, s, np.float32(2), up, down)
    assert spikes.tolist() == [1, -1, 0]
    assert v.tolist() == [1, 1, 1]
    assert s.tolist() == [6, 4, 5]


def test_simulate_walks_through_time():
    """Every step gets its number, its current [N, ...] and the states that the one before left."""
    seen = []

    def step(t, current, v, s):
        seen.append((t, current.tolist(), v.tolist(), s.tolist()))
        return current * 10, v + current, s - 1

    rows = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32)  # T = 2, N = 2
    v_init, s_init = np.zeros(1, np.float32), np.array([[1], [2]], np.float32)
    spikes, v, s = simulate(rows, np.array(2), [v_init, s_init], step)
    assert seen == [
        (0, [[1, 2], [3, 4]], [[0, 0], [0, 0]], [[1, 1], [2, 2]]),
        (1, [[5, 6], [7, 8]], [[1, 2], [3, 4]], [[0, 0], [1, 1]]),
    ]
    np.testing.assert_array_equal(spikes, rows * 10)
    assert v.tolist() == [[6, 8], [10, 12]]
    assert s.tolist() == [[-1, -1], [0, 0]]


@pytest.mark.parametrize(("infer", "states"), [(one_state, 1), (two_states, 2)])
def test_shapes(infer, states):
    assert infer([(6, "C", 4), (1,)], {}) == ((6, "C", 4), *[(None, "C", 4)] * states)
    assert infer([(0, 3), (1,)], {}) == ((0, 3), *[(0, 3)] * states)
