"""Integer sums by onnxruntime's own nodes."""

import numpy as np
import pytest

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends.stock import CPU, for_stock
from onnx2snn_runtime.packed import with_integer_sums
from onnx2snn_runtime.packed.stock import LEAST_CHANNELS


def ops(model):
    return [n.op_type for n in model.graph.node]


@pytest.fixture
def wide(make_model):
    """A layer of so many channels that reads spikes, twice."""
    channels = LEAST_CHANNELS
    weights = np.random.default_rng(0).integers(-3, 4, (channels, channels, 3, 3))
    body = """y = Conv <pads = [1, 1, 0, 2], strides = [1, 2], dilations = [1, 2]> (s, w)
              z = Conv <pads = [1, 1, 1, 1]> (s, w)"""
    model = make_model(
        body,
        ["y", "z"],
        q=weights.astype(np.int8),
        scale=np.ones(channels, np.float32),
        theta=np.full((channels, 1, 1), 3, np.float32),
    )
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = channels
    return model


def test_wide_layers(wide):
    changed = with_integer_sums(wide)
    assert ops(changed).count("MatMulInteger") == 2
    assert "Conv" not in ops(changed)
    assert "DequantizeLinear" not in ops(changed)
    shape = (2, LEAST_CHANNELS, 4, 4)
    x = {"x": np.random.default_rng(1).integers(-2, 5, shape).astype(np.float32)}
    expected, got = (
        BACKENDS.get(name)(wide, BackendOptions()).run(["y", "z"], x)
        for name in ("reference", "stock")
    )
    for a, b in zip(got, expected, strict=True):
        assert b.any()
        np.testing.assert_array_equal(a, b)


def test_narrow_layers_stay(make_model):
    model = make_model("y = Conv (s, w)", ["y"])
    assert with_integer_sums(model) is model
    assert "MatMulInteger" in ops(with_integer_sums(model, least_channels=2))


def test_weights_that_others_read_stay_there(make_model):
    model = make_model("y = Conv (s, w) u = Relu (w)", ["y", "u"])
    assert "DequantizeLinear" in ops(with_integer_sums(model, least_channels=1))


@pytest.mark.parametrize("body", ["y = Conv (e, w)", "y = Conv <group = 1> (x, w)"])
def test_layers_that_read_no_spikes_stay(make_model, body):
    model = make_model(body, ["y"])
    assert with_integer_sums(model, least_channels=1) is model


def test_other_providers_keep_the_nodes(wide):
    assert for_stock(wide, BackendOptions(("CUDAExecutionProvider", CPU))) is wide
    assert "MatMulInteger" in ops(for_stock(wide, BackendOptions()))
