"""ChannelExpand: the three copies, and their trains behind a RateEncode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def counts(case, x, T, *, low=0, high=1, phi=1, quantize="nearest"):
    """The case of one sample and channel, and its counts [copies, values]."""
    row = np.reshape(x, (1, 1, -1))
    example = case("ChannelExpand", row, [low], [high], T=T, phi=phi, quantize=quantize)
    (spikes,) = example.window()
    return example, spikes.sum(axis=0)


def test_the_three_copies(bench, case):
    """At T = 4: levels of 4, 5 and 3 steps, all as numbers of spikes in 4."""
    x = [0, 0.25, 0.5, 0.75, 1]
    example, got = counts(case, x, 4, quantize="floor")
    assert got.tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 0, 1, 2, 3]]
    bench.agree(example)
    example, got = counts(case, x, 4)
    assert got.tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 4, 4], [0, 1, 2, 2, 3]]
    bench.agree(example)


def test_one_step_silences_the_third_copy(bench, case):
    example, got = counts(case, [0, 0.2, 0.6, 1], 1)
    assert got.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
    bench.agree(example)


def test_phi_repeats_all_channels(bench, case):
    """Both channels of each copy stand together."""
    example = case("ChannelExpand", [[0, 1]], [0], [1], T=2, phi=3, quantize="nearest")
    (spikes,) = bench.agree(example)
    assert spikes.sum(axis=0).tolist() == [0, 2, 0, 2, 0, 1] * 3


def test_the_first_copy_is_a_rate_code(case):
    x = np.linspace(-2, 3, 40)
    example, _ = counts(case, x, 7, low=-1, high=2)
    (rate,) = case("RateEncode", [x], [-1], [2], T=7, quantize="nearest").window()
    np.testing.assert_array_equal(example.window()[0][:, 0], rate)


@settings(max_examples=60)
@given(
    T=st.integers(1, 64),
    low=st.floats(-3, 3, width=32),
    extent=st.floats(0.25, 4, width=32),
    quantize=st.sampled_from(["nearest", "floor"]),
)
def test_every_copy_has_the_levels_of_its_own_quantizer(case, T, low, extent, quantize):
    low = np.float32(low)
    high = low + np.float32(extent)
    share = np.linspace(0, 1, 65)
    _, got = counts(case, low + (high - low) * share, T, low=low, high=high, quantize=quantize)
    above, below = {"nearest": (0.5, 0.5), "floor": (0, 1)}[quantize]
    for count, steps in zip(got, (T, T + 1, T - 1), strict=True):
        exact = steps * share
        assert (count <= np.minimum(exact + above + 1e-4, T)).all()
        assert (count >= np.minimum(exact - below - 1e-4, T)).all()


@pytest.mark.parametrize("T", [2, 3, 4, 8])
def test_the_mean_of_the_copies_is_a_finer_code(case, T):
    x = np.linspace(0, 1, 1001)
    _, got = counts(case, x, T)
    together = np.abs(got.mean(axis=0) / T - x).mean()
    alone = np.abs(got[0] / T - x).mean()
    assert together < 0.8 * alone


@pytest.mark.parametrize(("x", "y"), [(("N", 3, None), (None, 18, None)), ((0, None), (0, None))])
def test_inferred_shapes(x, y):
    spec = OPS.get("ChannelExpand")
    attributes = {"phi": 2, "quantize": "nearest"}
    assert spec.infer_shapes([x, (1,), (1,), ()], attributes) == (y,)
