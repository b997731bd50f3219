"""SpikeAveragePool: exact counting, hand-made examples, the definition in scalars, streaming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def by_hand(case):
    """The definition window by window, in Python's own integers."""
    spikes, theta, v_init, _ = case.inputs
    kernel, strides, pads = (case.attributes[k] for k in ("kernel_shape", "strides", "pads"))
    rank = len(kernel)
    n, channels, *sizes = (spikes.shape[0] // case.steps, *spikes.shape[1:])
    outs = [
        len(range(-pads[i], sizes[i] + pads[i + rank] - kernel[i] + 1, strides[i]))
        for i in range(rank)
    ]
    shape = (n, channels, *outs)
    train = np.zeros((case.steps, *shape))
    final = np.zeros(shape)
    for place in np.ndindex(shape):
        threshold = int(np.broadcast_to(theta, shape)[place])
        v = int(np.broadcast_to(v_init, shape)[place])
        corner = [o * s - b for o, s, b in zip(place[2:], strides, pads, strict=False)]
        for t in range(case.steps):
            for offset in np.ndindex(*kernel):
                at = [c + o for c, o in zip(corner, offset, strict=True)]
                if all(0 <= a < size for a, size in zip(at, sizes, strict=True)):
                    v += int(spikes[(t * n + place[0], place[1], *at)])
            if v >= threshold:
                train[(t, *place)] = 1
                v -= threshold
        final[place] = v
    return train.reshape(case.steps * n, *shape[1:]), final


def pool(case, spikes, theta, v_init, T, kernel, strides, pads):
    return case(
        "SpikeAveragePool",
        spikes,
        theta,
        v_init,
        T=T,
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
    )


def test_counts_exactly(bench, case):
    """One spike a step into a 3x3 window: the neuron fires at steps 9 and 18.

    Nine times the float32 1/9 is no reliable 1; nine spikes are nine.
    """
    spikes = np.zeros((18, 1, 3, 3))
    for t in range(18):
        spikes[t, 0, t % 3, t // 3 % 3] = 1
    train, final = bench.agree(pool(case, spikes, [9], [0], 18, [3, 3], [3, 3], [0, 0, 0, 0]))
    assert train.ravel().tolist() == [0] * 8 + [1] + [0] * 8 + [1]
    assert final.item() == 0


def test_full_windows_fire_at_every_step(bench, case):
    train, final = bench.agree(
        pool(case, np.ones((4, 1, 3, 3)), [9], [0], 4, [3, 3], [1, 1], [0, 0, 0, 0])
    )
    assert train.ravel().tolist() == [1, 1, 1, 1]
    assert final.item() == 0


@pytest.mark.parametrize("k", [2, 3, 5, 7, 11, 13, 24])
def test_every_number_of_spikes_is_counted_exactly(bench, case, k):
    """The potential is the number of spikes, though float32 says s/k²·k² ≠ s for some."""
    counts = np.arange(k * k + 1)
    spikes = np.arange(k * k) < counts[:, None]
    example = pool(
        case, spikes.reshape(-1, 1, k, k), [k * k + 1], [0], 1, [k, k], [1, 1], [0, 0, 0, 0]
    )
    _, final = bench.agree(example)
    assert final.ravel().tolist() == counts.tolist()


def test_a_large_window_counts_exactly(bench, case):
    spikes = np.random.default_rng(5).integers(0, 2, (4, 2, 101, 103))
    _, final = bench.agree(pool(case, spikes, [1e6], [0], 4, [101, 103], [1, 1], [0, 0, 0, 0]))
    assert final.ravel().tolist() == spikes.sum(axis=(0, 2, 3)).tolist()


def test_asymmetric_pads_are_silent(bench, case):
    # One silent place in front: windows (., 1) and (1, 0); the last place is left over.
    # v: 1 and 1, then 2 and 2 -> spikes.
    spikes = [[[1, 1, 0, 1]]] * 2
    train, final = bench.agree(pool(case, spikes, [2], [0], 2, [2], [2], [1, 0]))
    assert train.tolist() == [[[0, 0]], [[1, 1]]]
    assert final.tolist() == [[[0, 0]]]
    # Behind instead: windows (1, 1), (0, 1).
    train, final = bench.agree(pool(case, spikes, [2], [0], 2, [2], [2], [0, 1]))
    assert train.tolist() == [[[1, 0]], [[1, 1]]]
    assert final.tolist() == [[[0, 0]]]


def test_uneven_borders_have_their_own_thresholds(bench, case):
    """A pool that does not count its padding: theta is the number of places in the image."""
    # Kernel 2, one pad on each side of 2 places: windows hold 1, 2 and 1 places.
    train, final = bench.agree(
        pool(case, np.ones((3, 1, 2)), np.reshape([1, 2, 1], (1, 3)), [0], 3, [2], [1], [1, 1])
    )
    assert train.tolist() == [[[1, 1, 1]]] * 3
    assert final.tolist() == [[[0, 0, 0]]]


def test_overlapping_windows(bench, case):
    # Kernel 2, stride 1 over 1 0 1 1: counts 1 1 2; theta = 2; v_init = 1 -> 2 2 3.
    train, final = bench.agree(pool(case, [[[1, 0, 1, 1]]], [2], [1], 1, [2], [1], [0, 0]))
    assert train.tolist() == [[[1, 1, 1]]]
    assert final.tolist() == [[[0, 0, 1]]]


def test_three_dimensions(bench, case):
    spikes = np.random.default_rng(3).integers(0, 2, (4, 2, 3, 4, 5))
    example = pool(case, spikes, [3], [0], 2, [2, 2, 3], [1, 2, 2], [1, 0, 2, 0, 1, 0])
    for got, want in zip(bench.agree(example), by_hand(example), strict=True):
        np.testing.assert_array_equal(got, want)


@settings(max_examples=300)
@given(data=st.data())
def test_agrees_with_the_definition_and_all_backends(makers, bench, data):
    case = data.draw(makers["SpikeAveragePool"]())
    for got, want in zip(bench.agree(case), by_hand(case), strict=True):
        np.testing.assert_array_equal(got, want)


@given(data=st.data())
def test_spikes_are_zero_or_one(makers, data):
    train, _ = data.draw(makers["SpikeAveragePool"]()).window()
    assert set(np.unique(train)) <= {0, 1}


@given(data=st.data())
def test_keeps_the_books(makers, bench, data):
    """What went in: the sum of a pool with the same windows and a threshold nobody reaches."""
    case = data.draw(makers["SpikeAveragePool"]())
    spikes, theta, v_init, _ = case.inputs
    train, final = bench.stock(case)
    emitted = theta * train.reshape(case.steps, *final.shape).sum(axis=0)
    silent = type(case)(
        case.spec,
        (spikes, np.array([1e6], np.float32), np.array([0], np.float32), case.inputs[3]),
        case.attributes,
    )
    received = by_hand(silent)[1]
    np.testing.assert_array_equal(emitted, received + v_init - final)


@given(data=st.data())
def test_streaming(makers, bench, data):
    """One window equals windows of one step, and any other split, state fed back."""
    case = data.draw(makers["SpikeAveragePool"](N=st.integers(1, 3)))
    whole = case.window()
    cut = data.draw(st.integers(1, case.steps))
    ones = [1] * case.steps
    for parts in (ones, [p for p in (cut, case.steps - cut) if p]):
        for way in (bench.stock, lambda c: c.window()):
            train, final = bench.in_parts(case, parts, way)
            np.testing.assert_array_equal(train, whole[0])
            np.testing.assert_array_equal(final, whole[1])


@pytest.mark.parametrize(
    ("spikes", "pooled"),
    [
        (("rows", "C", 7, 6), (("rows", "C", 4, 3), (None, "C", 4, 3))),
        ((12, 2, "H", None), ((12, 2, None, None), (None, 2, None, None))),
        ((0, 2, 7, 6), ((0, 2, 4, 3), (0, 2, 4, 3))),
    ],
)
def test_inferred_shapes(spikes, pooled):
    # Height 7 + 1 + 0, kernel 2, stride 2; width 6 + 0 + 2, kernel 3, stride 2.
    attributes = {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [1, 0, 0, 2]}
    spec = OPS.get("SpikeAveragePool")
    assert spec.infer_shapes([spikes, (1,), (1,), ()], attributes) == pooled
