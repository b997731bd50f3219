"""SpikeMaxPool: hand-made examples, the definition in scalars, exact counts, streaming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def by_hand(case):
    """The definition window by window: the largest count after each step, less that before."""
    spikes, count_init, _ = case.inputs
    kernel, strides, pads = (case.attributes[k] for k in ("kernel_shape", "strides", "pads"))
    rank = len(kernel)
    n, channels, *sizes = (spikes.shape[0] // case.steps, *spikes.shape[1:])
    in_time = spikes.reshape(case.steps, n, channels, *sizes)
    start = np.broadcast_to(count_init, in_time.shape[1:])
    counts = np.concatenate([start[None], start + np.cumsum(in_time, axis=0)])
    outs = [
        len(range(-pads[i], sizes[i] + pads[i + rank] - kernel[i] + 1, strides[i]))
        for i in range(rank)
    ]
    largest = np.zeros((case.steps + 1, n, channels, *outs))
    for place in np.ndindex(*outs):
        first = [p * s - b for p, s, b in zip(place, strides, pads, strict=False)]
        window = tuple(
            slice(max(f, 0), min(f + k, size))
            for f, k, size in zip(first, kernel, sizes, strict=True)
        )
        held = counts[(..., *window)]
        largest[(..., *place)] = held.max(axis=tuple(range(-rank, 0)))
    pooled = np.diff(largest, axis=0)
    return pooled.reshape(case.steps * n, channels, *outs), counts[-1]


def pool(case, spikes, count_init, T, kernel, strides, pads):
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    return case("SpikeMaxPool", spikes, count_init, T=T, **attributes)


def test_the_busiest_neuron_speaks(bench, case):
    # Counts of two neurons: 1 0, 1 1, 1 2, 2 3; the largest grows at steps 0, 2 and 3.
    spikes = [[[1, 0]], [[0, 1]], [[0, 1]], [[1, 1]]]
    pooled, counts = bench.agree(pool(case, spikes, [0], 4, [2], [2], [0, 0]))
    assert pooled.ravel().tolist() == [1, 0, 1, 1]
    assert counts.tolist() == [[[2, 3]]]


def test_is_not_the_maximum_of_each_step(bench, case):
    """Alternating neurons: the maximum of each step would say 4, the largest count is 2."""
    spikes = [[[1, 0]], [[0, 1]], [[1, 0]], [[0, 1]]]
    pooled, _ = bench.agree(pool(case, spikes, [0], 4, [2], [2], [0, 0]))
    assert pooled.ravel().tolist() == [1, 0, 1, 0]


def test_counts_from_before(bench, case):
    # The second neuron is three spikes ahead: the first one's spikes do not show.
    spikes = [[[1, 0]], [[1, 0]], [[1, 1]]]
    pooled, counts = bench.agree(pool(case, spikes, [[0, 3]], 3, [2], [2], [0, 0]))
    assert pooled.ravel().tolist() == [0, 0, 1]
    assert counts.tolist() == [[[3, 4]]]


def test_rows_are_time_major(bench, case):
    # Sample 0 spikes at both steps, sample 1 never and then once.
    spikes = [[[1, 0]], [[0, 0]], [[1, 0]], [[0, 1]]]
    pooled, counts = bench.agree(pool(case, spikes, [0], 2, [2], [2], [0, 0]))
    assert pooled.ravel().tolist() == [1, 0, 1, 1]
    assert counts.tolist() == [[[2, 0]], [[0, 1]]]


def test_asymmetric_pads(bench, case):
    # One place in front: windows (., a) and (b, c); the last place is left over.
    spikes = [[[0, 1, 0, 1]], [[1, 1, 0, 1]]]
    pooled, _ = bench.agree(pool(case, spikes, [0], 2, [2], [2], [1, 0]))
    assert pooled.tolist() == [[[0, 1]], [[1, 1]]]


@settings(max_examples=300)
@given(data=st.data())
def test_agrees_with_the_definition_and_all_backends(makers, bench, data):
    case = data.draw(makers["SpikeMaxPool"]())
    for got, want in zip(bench.agree(case), by_hand(case), strict=True):
        np.testing.assert_array_equal(got, want)


@given(data=st.data())
def test_spikes_are_zero_or_one(makers, data):
    pooled, _ = data.draw(makers["SpikeMaxPool"]()).window()
    assert set(np.unique(pooled)) <= {0, 1}


@given(data=st.data())
def test_streaming(makers, bench, data):
    """One window equals windows of one step, and any other split, state fed back."""
    case = data.draw(makers["SpikeMaxPool"](N=st.integers(1, 3)))
    whole = case.window()
    cut = data.draw(st.integers(1, case.steps))
    ones = [1] * case.steps
    for parts in (ones, [p for p in (cut, case.steps - cut) if p]):
        for way in (bench.stock, lambda c: c.window()):
            pooled, counts = bench.in_parts(case, parts, way)
            np.testing.assert_array_equal(pooled, whole[0])
            np.testing.assert_array_equal(counts, whole[1])


@pytest.mark.parametrize(
    ("spikes", "outputs"),
    [
        (("rows", "C", 7, 6), (("rows", "C", 4, 3), (None, "C", 7, 6))),
        ((12, 2, "H", None), ((12, 2, None, None), (None, 2, "H", None))),
        ((0, 2, 7, 6), ((0, 2, 4, 3), (0, 2, 7, 6))),
    ],
)
def test_inferred_shapes(spikes, outputs):
    # Height 7 + 1 + 0, kernel 2, stride 2; width 6 + 0 + 2, kernel 3, stride 2.
    attributes = {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [1, 0, 0, 2]}
    assert OPS.get("SpikeMaxPool").infer_shapes([spikes, (1,), ()], attributes) == outputs
