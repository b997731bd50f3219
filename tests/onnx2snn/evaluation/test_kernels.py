"""onnxruntime's quantized kernels, seen through extra outputs."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from onnx2snn.errors import BackendError, ModelFileError
from onnx2snn.evaluation.kernels import KernelNetwork, kernels_saturate


@pytest.fixture
def network(new_net):
    """Conv → Relu and Conv, their sum, a pool: all quantized to int8."""
    net = new_net(seed=3)

    def pair(x, scale, name, zero_point=3):
        parameters = net.const(scale), net.const(zero_point, dtype=np.int8)
        integers = net.node("QuantizeLinear", x, *parameters, name=name)
        return net.node("DequantizeLinear", integers, *parameters)

    def conv(x, outs, ins):
        values = net.rng.integers(-127, 128, (outs, ins, 3, 3))
        weights = net.node("DequantizeLinear", net.const(values, dtype=np.int8), net.const(0.01))
        return net.node("Conv", x, weights, pads=[1, 1, 1, 1])

    x = pair(net.input(shape=("N", 2, 6, 6)), 0.05, "in")
    left = pair(net.relu(conv(x, 3, 2)), 0.04, "left", -128)
    right = pair(conv(left, 3, 3), 0.03, "right")
    both = pair(net.node("Add", left, right), 0.045, "sum")
    pooled = pair(net.node("AveragePool", both, kernel_shape=[2, 2]), 0.03, "pool")
    return net.model(pooled)


TENSORS = ["left_out", "right_out", "sum_out", "pool_out"]


def test_fused(network):
    images = np.random.default_rng(0).normal(size=(2, 2, 6, 6)).astype(np.float32)
    kernels = KernelNetwork(network, TENSORS)
    assert kernels.kernels == {
        "left_out": "QLinearConv",
        "right_out": "QLinearConv",
        "sum_out": "QLinearAdd",
        "pool_out": "QLinearAveragePool",
    }
    integers, outputs = kernels.run({"x": images})
    assert {v.dtype for v in integers.values()} == {np.dtype(np.int8)}
    assert len(np.unique(integers["left_out"])) > 20
    # What the taps show is what the untapped network computes with.
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    plain = onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (wanted,) = plain.run(None, {"x": images})
    (got,) = outputs.values()
    np.testing.assert_array_equal(got, wanted)
    shown = (integers["pool_out"].astype(np.float32) - 3) * np.float32(0.03)
    np.testing.assert_array_equal(shown, wanted)


def test_not_fused(network):
    plain = KernelNetwork(network, TENSORS, optimize=False)
    assert set(plain.kernels.values()) == {"QuantizeLinear"}


def test_a_fixed_batch(network):
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    network.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    images = np.random.default_rng(0).normal(size=(3, 2, 6, 6)).astype(np.float32)
    integers, outputs = KernelNetwork(network, TENSORS).run({"x": images})
    assert {len(v) for v in (*integers.values(), *outputs.values())} == {3}


def test_an_unknown_tensor(network):
    with pytest.raises(ModelFileError) as error:
        KernelNetwork(network, ["nowhere"])
    assert "nowhere" in str(error.value)


def test_onnxruntime_refuses(network, tiny_broken):
    with pytest.raises(BackendError):
        KernelNetwork(tiny_broken, [])
    with pytest.raises(BackendError):
        KernelNetwork(network, TENSORS).run({"x": np.zeros((1, 5, 6, 6), np.float32)})


@pytest.fixture
def tiny_broken(new_net):
    net = new_net()
    return net.model(
        net.node("NoSuchOperator", net.input()), check=False, shape=None, dtype=TensorProto.FLOAT
    )


def test_saturation(monkeypatch):
    """The answer is that of a product whose partial sums are beyond int16."""

    class Cut:
        def run(self, names, feeds):
            return [np.full((1, 16), 2**15 - 1)]

    class Whole:
        def run(self, names, feeds):
            return [np.full((1, 16), 255 * 127 * 64)]

    monkeypatch.setattr("onnx2snn.evaluation.kernels._session", lambda *_: Whole())
    assert kernels_saturate() is False
    monkeypatch.setattr("onnx2snn.evaluation.kernels._session", lambda *_: Cut())
    assert kernels_saturate() is True
