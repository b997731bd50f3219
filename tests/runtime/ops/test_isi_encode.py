"""IsiEncode: counts of pixels, places of spikes, signs and silence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def train(values, x_max, T, **attributes):
    """Spikes [T, values] of a flat list."""
    arrays = [np.array(a, np.float32) for a in (values, [x_max])]
    (spikes,) = OPS.get("IsiEncode").window(*arrays, np.array(T), **attributes)
    return spikes.reshape(T, len(values))


def test_known_trains(bench, case):
    example = case("IsiEncode", [0, 1, 2, 3, 4, 5], [5], T=5, alpha=1.0, silent_steps=0)
    (spikes,) = bench.agree(example)
    assert spikes.reshape(5, 6).T.tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],  # 5
        [0, 1, 0, 0, 1],  # ⌊2.5⌋, 5
        [1, 0, 1, 0, 1],  # ⌊1.67⌋, ⌊3.33⌋, 5
        [1, 1, 1, 0, 1],  # ⌊1.25⌋, ⌊2.5⌋, ⌊3.75⌋, 5
        [1, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize("T", [1, 8, 127, 128, 255])
def test_counts_of_pixels(T):
    pixels = np.arange(256)
    np.testing.assert_array_equal(train(pixels, 255, T).sum(axis=0), pixels * T // 255)


@pytest.mark.parametrize("T", [1, 2, 13, 128])
def test_places_are_the_multiples_of_the_interval(T):
    """The n-th of N spikes in step ⌊n·T/N⌋, counted from 1, in whole numbers."""
    spikes = train(np.arange(T + 1), T, T)
    for count in range(T + 1):
        places = np.flatnonzero(spikes[:, count]) + 1
        assert places.tolist() == [n * T // count for n in range(1, count + 1)]


def test_float32_would_misplace_some():
    """What the whole numbers are for."""
    interval = np.float32(128) / np.arange(1, 129, dtype=np.float32)
    naive = [
        [int(np.float32(n) * interval[count - 1]) for n in range(1, count + 1)]
        for count in range(1, 129)
    ]
    exact = [[n * 128 // count for n in range(1, count + 1)] for count in range(1, 129)]
    assert naive != exact


def test_alpha_thins_the_train_out():
    spikes = train([255, 100, 0], 255, 128, alpha=0.25)
    assert spikes.sum(axis=0).tolist() == [32, 12, 0]
    # No more than a spike in each step.
    np.testing.assert_array_equal(train([255], 255, 4, alpha=3.0), np.ones((4, 1)))


@given(T=st.integers(1, 40), silent=st.integers(0, 45), alpha=st.sampled_from([1.0, 0.5]))
def test_silent_steps_shorten_the_code(T, silent, alpha):
    values = np.arange(0, 256, 5)
    spikes = train(values, 255, T, alpha=alpha, silent_steps=silent)
    length = max(T - silent, 0)
    assert not spikes[length:].any()
    if length:
        np.testing.assert_array_equal(spikes[:length], train(values, 255, length, alpha=alpha))


def test_more_silent_steps_than_steps(bench, case):
    example = case("IsiEncode", [[3, -3]], [3], T=2, alpha=1.0, silent_steps=5)
    (spikes,) = bench.agree(example)
    assert not spikes.any()


@given(data=st.data())
def test_negative_values_mirror_positive_ones(makers, case, data):
    example = data.draw(makers["IsiEncode"]())
    x, x_max, steps = example.inputs
    mirrored = case("IsiEncode", -x, x_max, T=steps, **example.attributes)
    np.testing.assert_array_equal(mirrored.window()[0], -example.window()[0])
    sizes = np.abs(example.window()[0]).reshape(example.steps, *x.shape)
    assert set(np.unique(sizes)) <= {0, 1}
    assert not sizes[:, x == 0].any()


def test_values_beyond_the_largest_are_clipped():
    np.testing.assert_array_equal(train([300, -300], 255, 9), train([255, -255], 255, 9))


@pytest.mark.parametrize(("x", "spikes"), [(("N", 3), (None, 3)), ((0, 3), (0, 3))])
def test_inferred_shapes(x, spikes):
    spec = OPS.get("IsiEncode")
    assert spec.infer_shapes([x, (1,), ()], spec.defaults()) == (spikes,)
