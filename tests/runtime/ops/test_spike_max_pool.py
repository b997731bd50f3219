"""SpikeMaxPool: hand-made examples, the definition in scalars, exact counts, streaming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.windows import window_maximum


def by_hand(case):
    """The definition window by window: the largest code after each step, less that before."""
    spikes, count_init, _ = case.inputs
    kernel, strides, pads = (case.attributes[k] for k in ("kernel_shape", "strides", "pads"))
    rank = len(kernel)
    n, channels, *sizes = (spikes.shape[0] // case.steps, *spikes.shape[1:])
    in_time = spikes.reshape(case.steps, n, channels, *sizes)
    keep = {"count": 1, "radix": 2}[case.attributes["code"]]
    counts = [np.broadcast_to(count_init, in_time.shape[1:])]
    for integers in in_time:
        counts.append(keep * counts[-1] + integers)
    counts = np.stack(counts)
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
    pooled = largest[1:] - keep * largest[:-1]
    return pooled.reshape(case.steps * n, channels, *outs), counts[-1]


def pool(case, spikes, count_init, T, kernel, strides, pads, code="count"):
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "code": code}
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


def test_binary_numbers_high_digit_first(bench, case):
    # 101 and 110 in binary: 5 and 6; after one digit they are equal, after two 110 leads.
    spikes = [[[1, 1]], [[0, 1]], [[1, 0]]]
    pooled, codes = bench.agree(pool(case, spikes, [0], 3, [2], [2], [0, 0], code="radix"))
    assert pooled.ravel().tolist() == [1, 1, 0]
    assert codes.tolist() == [[[5, 6]]]


def test_padding_does_not_win_over_negative_codes(bench, case):
    spikes = [[[-1, -1]], [[-1, 0]]]
    for code, final in (("count", [[-2, -1]]), ("radix", [[-3, -2]])):
        pooled, codes = bench.agree(pool(case, spikes, [0], 2, [2], [2], [1, 1], code=code))
        # Each window holds one neuron and one padded place.
        assert pooled.tolist() == spikes
        assert codes.tolist() == [final]


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


@given(data=st.data(), low=st.sampled_from([0, -1]))
def test_spikes_stay_spikes(makers, data, low):
    pooled, _ = data.draw(makers["SpikeMaxPool"](low=st.just(low))).window()
    assert set(np.unique(pooled)) <= set(range(low, 2))


@given(data=st.data(), code=st.sampled_from(["count", "radix"]))
def test_the_code_of_the_output_is_the_largest_code(makers, data, code):
    """Decoded as its input is, from the largest code before: any integers."""
    case = data.draw(
        makers["SpikeMaxPool"](
            N=st.integers(1, 3), code=st.just(code), low=st.just(-9), high=st.just(9)
        )
    )
    attributes = {k: v for k, v in case.attributes.items() if k != "code"}
    before = np.broadcast_to(
        case.inputs[1], (case.inputs[0].shape[0] // case.steps, *case.inputs[0].shape[1:])
    )
    pooled, codes = case.window()
    decoded = window_maximum(before, **attributes)
    for integers in pooled.reshape(case.steps, *decoded.shape):
        decoded = {"count": 1, "radix": 2}[code] * decoded + integers
    np.testing.assert_array_equal(decoded, window_maximum(codes, **attributes))


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
    attributes = {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [1, 0, 0, 2], "code": "count"}
    assert OPS.get("SpikeMaxPool").infer_shapes([spikes, (1,), ()], attributes) == outputs
