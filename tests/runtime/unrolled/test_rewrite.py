"""Windows written out step by step do what the definitions say."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.unrolled.rewrite import MOST_STEPS, unroll

LOOKS = ("answer", "s0", "s1", "p", "s2", "v0", "v1", "v2", "p_count")


def ops(model):
    return Counter(node.op_type for node in model.graph.node)


def run(executable, pictures, steps, looks=LOOKS):
    feeds = {"x": pictures, "timesteps": np.array(steps, np.int64)}
    return dict(zip(looks, executable.run(looks, feeds), strict=True))


def same(model, pictures, steps, looks=LOOKS):
    """Check that the unrolled model gives every bit of the definitions; give what they give."""
    unrolled = unroll(model, steps).model
    got = run(StockExecutable(unrolled, BackendOptions()), pictures, steps, looks)
    expected = run(BACKENDS.get("reference")(model, BackendOptions()), pictures, steps, looks)
    for name in looks:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    return expected


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 9), samples=st.integers(1, 3))
def test_whole_numbers_to_the_bit(residual, seed, steps, samples):
    pictures = np.random.default_rng(seed).integers(-3, 4, (samples, 3, 8, 8)).astype(np.float32)
    same(residual(seed=seed), pictures, steps)


def test_everything_fires(residual, pictures):
    """Or the other tests would compare silence."""
    spikes = same(residual(), pictures, 8)
    for name in ("s0", "s1", "p", "s2"):
        assert 0.05 < spikes[name].mean() < 0.95
    assert np.ptp(spikes["answer"]) > 0


def test_nothing_is_scanned(residual):
    """Spiking nodes are gone but for the readout; a step of a population has one layer."""
    found = ops(unroll(residual(looks=["answer"]), 4).model)
    assert not {"IntegrateFire", "SpikeMaxPool", "DirectEncode", "Slice", "Pad", "Mul"} & set(found)
    assert (found["SpikeDecode"], found["Gemm"], found["Concat"] > 0) == (1, 1, True)
    assert found["HardSigmoid"] == 3 * 4


def test_fractions(residual, pictures):
    """Sums of fractions round in another order; potentials tell by how much."""
    rng = np.random.default_rng(3)
    weights = {
        "w1": rng.normal(0, 1, (16, 16, 3, 3)).astype(np.float32),
        "theta1": rng.uniform(1, 9, (16, 1, 1)).astype(np.float32),
    }
    model = residual(**weights)
    unrolled = StockExecutable(unroll(model, 6).model, BackendOptions())
    stock = StockExecutable(model, BackendOptions())
    a, b = (run(executable, pictures, 6) for executable in (unrolled, stock))
    np.testing.assert_array_equal(a["s1"], b["s1"])
    np.testing.assert_allclose(a["v1"], b["v1"], atol=1e-4)


@pytest.mark.parametrize("above", [0, 1, 2**20])
def test_a_potential_at_the_threshold_fires(residual, pictures, above):
    """And one that lies one bit below does not."""
    theta = np.float32(0.1)
    start = np.nextafter(theta, np.float32(0)) if not above else theta * np.float32(above)
    silence = {"w0": np.zeros((16, 3, 3, 3), np.float32), "b0": np.zeros(16, np.float32)}
    given = {"theta0": np.full((16, 1, 1), theta), "init0": np.full((16, 1, 1), start)}
    model = residual(looks=("s0", "v0"), **silence, **given)
    spikes = same(model, pictures, 1, ("s0", "v0"))["s0"]
    assert np.all(spikes == (above > 0))


def test_windows_go_on_where_the_last_ended(residual, pictures):
    model = residual(looks=["answer"])
    stock = SpikingSession(model, backend="stock")
    expected = SpikingSession(model, backend="reference").run(pictures, 11)["answer"]
    for window in (1, 3, 8, 11):
        got = stock.run(pictures, 11, window=window)["answer"]
        np.testing.assert_array_equal(got, expected)


def test_a_fixed_batch(residual, pictures):
    same(residual(batch=3), pictures, 4)


def test_other_readers_get_the_whole_window(residual, body, pictures):
    """A layer that two populations read is computed once more; a reader of spikes sees all rows."""
    more = """
        s3, v3 = org.onnx2snn.IntegrateFire (c1, theta0, init0, timesteps)
        most = ReduceMax <keepdims = 0> (s1, all)
    """
    looks = ("answer", "s3", "most", "v3")
    model = residual(body + more, looks, all=np.array([0, 1, 2, 3], np.int64))
    same(model, pictures, 5, looks)


def test_hard_resets_keep_their_body(residual, body, pictures):
    hard = body.replace("IntegrateFire (u1", 'IntegrateFire <reset = "zero"> (u1')
    assert hard != body
    model = residual(hard)
    assert ops(unroll(model, 3).model)["IntegrateFire"] == 1
    same(model, pictures, 3)


def test_codes_of_digits_keep_their_body(residual, body, pictures):
    digits = body.replace("SpikeMaxPool <", 'SpikeMaxPool <code = "radix", ')
    model = residual(digits)
    assert ops(unroll(model, 3).model)["SpikeMaxPool"] == 1
    same(model, pictures, 3)


@pytest.mark.parametrize(
    "theta",
    [
        np.full((16, 8, 8), 3, np.float32) + np.arange(8, dtype=np.float32),
        np.full((16, 1, 1), 2.0**-110, np.float32),
    ],
    ids=["differs within a channel", "too small"],
)
def test_thresholds_that_keep_the_body(residual, pictures, theta):
    model = residual(theta1=theta)
    assert ops(unroll(model, 2).model)["IntegrateFire"] == 1
    same(model, pictures, 2)


def test_neurons_without_a_layer_keep_their_body(residual, body, pictures):
    idle = body.replace("c1 = Conv <pads = [1, 1, 1, 1]> (s0, w1, b1)", "c1 = Neg (s0)")
    model = residual(idle)
    assert ops(unroll(model, 2).model)["IntegrateFire"] == 1
    same(model, pictures, 2)


def test_odd_channels_keep_their_body(residual, body, pictures):
    few = {
        "w0": np.ones((15, 3, 3, 3), np.float32),
        "b0": np.ones(15, np.float32),
        "theta0": np.full((15, 1, 1), 3, np.float32),
        "init0": np.ones(1, np.float32),
    }
    head = body.split("c1 =")[0]
    shapes = {"e": (15, 8, 8), "s0": (15, 8, 8)}
    assert unroll(residual(head, ("s0",), shapes, **few), 2) is None


@pytest.mark.parametrize("steps", [0, MOST_STEPS + 1])
def test_lengths_that_are_not_unrolled(residual, steps):
    assert unroll(residual(), MOST_STEPS) is not None
    assert unroll(residual(), steps) is None


def test_unknown_shapes(residual):
    assert unroll(residual(shapes={}), 3) is None


def test_older_opsets(network):
    assert unroll(network(), 3) is None


def test_what_is_gained(residual, body):
    """The readout reads a whole window; and with neurons that keep their body, more do."""
    found = unroll(residual(looks=["answer"]), 3)
    assert (found.written_out, found.borders, found.gains) == (4, 1, True)
    assert unroll(residual(), 3).borders == 1  # outputs are asked for, whatever is written out
    hard = body.replace("IntegrateFire (u1", 'IntegrateFire <reset = "zero"> (u1')
    mixed = unroll(residual(hard, ["answer"]), 3)
    assert (mixed.written_out, mixed.borders, mixed.gains) == (2, 3, False)
