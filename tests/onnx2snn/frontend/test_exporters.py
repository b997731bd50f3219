"""Quantized networks as the usual tools write them."""

import logging

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from onnx2snn import inspect
from onnx2snn.frontend import canonicalise

PAIR = ["QuantizeLinear", "DequantizeLinear"]
DIGITS = "models/digits_cnn_float.onnx"


class Images(CalibrationDataReader):
    """One batch."""

    def __init__(self, name, images):
        self.batches = iter([{name: images}])

    def get_next(self):
        return next(self.batches, None)


@pytest.fixture(scope="session")
def digits(pytestconfig, tmp_path_factory):
    """The file of the digits network without batch norm, as quantizers want it, and images."""
    logging.disable(logging.WARNING)  # they log what they think of our files
    path = tmp_path_factory.mktemp("digits") / "float.onnx"
    onnx.save(canonicalise(onnx.load(pytestconfig.rootpath / DIGITS)).to_model(), path)
    with np.load(pytestconfig.rootpath / "onnx2snn/demo_data/digits_heldout.npz") as data:
        yield path, data["images"][:64] / np.float32(16)
    logging.disable(logging.NOTSET)


def static(digits, path, opset=None, **options):
    source, images = digits
    model = onnx.load(source)
    if opset:
        model = onnx.version_converter.convert_version(model, opset)
    reader = Images(model.graph.input[0].name, images)
    quantize_static(model, path, reader, **options)
    return onnx.load(path)


QDQ = [
    {"activation_type": QuantType.QInt8, "extra_options": {"ActivationSymmetric": True}},
    {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8, "per_channel": False},
    {"activation_type": QuantType.QInt16, "extra_options": {"UseQDQContribOps": True}},
    {
        "activation_type": QuantType.QUInt16,
        "opset": 21,
        "extra_options": {"QuantizeBias": False, "AddQDQPairToWeight": True},
    },
    {
        "activation_type": QuantType.QUInt8,
        "weight_type": QuantType.QInt4,
        "opset": 21,
        "per_channel": False,
    },
]


@pytest.mark.parametrize("options", QDQ)
def test_onnxruntime_qdq(digits, tmp_path, run_stock, options):
    """The same bits, with the weights as floats and as integers."""
    options = {"quant_format": QuantFormat.QDQ, "per_channel": True} | options
    model = static(digits, tmp_path / "q.onnx", **options)
    wanted = run_stock(model, digits[1])[0]
    for keep in (True, False):
        canonical = canonicalise(model, keep_integers=keep)
        np.testing.assert_array_equal(run_stock(canonical.to_model(), digits[1])[0], wanted)
        assert canonical.source.dialects == ("QDQ",)
    assert inspect(model).convertible


def test_onnxruntime_qoperator(digits, tmp_path, run_stock):
    """One level at most, where a sum lies next to a tie."""
    form = {"quant_format": QuantFormat.QOperator, "per_channel": True}
    model = static(digits, tmp_path / "q.onnx", **form)
    wanted = run_stock(model, digits[1])[0]
    canonical = canonicalise(model)
    got = run_stock(canonical.to_model(), digits[1])[0]
    step = max(float(n.inputs[1].values) for n in canonical.graph.nodes if n.op == PAIR[0])
    assert np.abs(got - wanted).max() <= 1.01 * step
    assert (got != wanted).mean() < 0.01
    assert canonical.source.dialects == ("QDQ", "QOperator")
    assert inspect(model).convertible


@pytest.mark.parametrize("per_channel", [True, False])
def test_onnxruntime_dynamic(digits, tmp_path, run_stock, ops_of, per_channel):
    path = tmp_path / "q.onnx"
    quantize_dynamic(
        digits[0], path, per_channel=per_channel, op_types_to_quantize=["Conv", "MatMul", "Gemm"]
    )
    model = onnx.load(path)
    canonical = canonicalise(model)
    got, wanted = (run_stock(m, digits[1])[0] for m in (canonical.to_model(), model))
    assert np.abs(got - wanted).max() < 0.02 * np.abs(wanted).max()
    assert "DequantizeLinear" not in ops_of(canonical)
    readers = [n for n in canonicalise(model, keep_integers=True).graph.nodes if n.op == PAIR[1]]
    assert len(readers) == 5
    assert all(r.inputs[0].dtype == np.int8 for r in readers)
    assert inspect(model).convertible


class Torch:
    """Writes quantizers as torch exports its FX quantization-aware training."""

    def __init__(self, net):
        self.net = net

    def constant(self, value, dtype):
        tensor = onnx.numpy_helper.from_array(np.array(value, dtype))
        return self.net.node("Constant", value=tensor)

    def activation(self, x, scale, zero):
        """Of seven bits: a Clip stands between the pair."""
        zero = self.net.node("Cast", self.constant(zero, np.int64), to=TensorProto.UINT8)
        grid = [self.constant(scale, np.float32), zero]
        q = self.net.node("QuantizeLinear", x, *grid)
        ends = [self.constant(v, np.uint8) for v in (0, 127)]
        return self.net.node("DequantizeLinear", self.net.node("Clip", q, *ends), *grid)

    def weights(self, shape):
        """Float weights, quantized in the file by channel, to a narrow range."""
        grid = [
            self.net.const(self.net.rng.uniform(0.003, 0.006, shape[0])),
            self.net.const(np.zeros(shape[0], np.int8), dtype=None),
        ]
        q = self.net.node("QuantizeLinear", self.net.random(*shape), *grid, axis=0)
        ends = [self.constant(v, np.int8) for v in (-127, 127)]
        return self.net.node("DequantizeLinear", self.net.node("Clip", q, *ends), *grid, axis=0)


@pytest.mark.parametrize("opset", [13, 17])
def test_torch_quantization_aware_training(new_net, same_function, ops_of, opset):
    net = new_net(opset=opset)
    torch = Torch(net)
    x = torch.activation(net.input(shape=("N", 3, 8, 8)), 0.05, 64)
    x = net.node("Conv", x, torch.weights((4, 3, 3, 3)), net.const(net.rng.normal(size=4)))
    x = torch.activation(net.relu(x), 0.03, 0)
    x = torch.activation(net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.03, 0)
    x = net.node("Flatten", x)
    x = net.node("Gemm", x, torch.weights((5, 36)), net.const(np.ones(5)), transB=1)
    model = net.model(torch.activation(x, 0.1, 60))
    images = net.rng.normal(size=(8, 3, 8, 8)).astype(np.float32)
    canonical = same_function(model, images)
    ops = ops_of(canonical)
    assert [o for o in ops if o != "Clip"] == [
        *PAIR, "Conv", "Relu", *PAIR, "MaxPool", *PAIR, "Flatten", "Gemm", *PAIR
    ]  # fmt: skip
    assert ops.count("Clip") == 4
    kept = canonicalise(model, keep_integers=True)
    layers = [n for n in kept.graph.nodes if n.op in {"Conv", "Gemm"}]
    for layer in layers:
        integers = layer.inputs[1].inputs[0].inputs[0]
        assert integers.dtype == np.int8
        assert np.abs(integers.values.astype(int)).max() <= 127


class TfLite:
    """Writes layers as tf2onnx does for TFLite files: channels last, weights OHWI."""

    def __init__(self, net):
        self.net = net

    def grid(self, scale, zero, dtype=np.int8):
        zero = np.broadcast_to(np.array(zero, dtype), np.shape(scale))
        return [self.net.const(scale), self.net.const(zero, dtype=None)]

    def quantized(self, x, scale, zero):
        grid = self.grid(scale, zero)
        q = self.net.node("QuantizeLinear", x, *grid)
        return self.net.node("DequantizeLinear", q, *grid)

    def conv(self, x, shape, group=1):
        """Channels are axis 0 of the weights, or axis 3 of depthwise ones, [1, H, W, C]."""
        net = self.net
        axis, perm = (3, [3, 0, 1, 2]) if group > 1 else (0, [0, 3, 1, 2])
        values = net.rng.integers(-127, 128, shape).astype(np.int8)
        grid = self.grid(net.rng.uniform(0.002, 0.004, shape[axis]), 0)
        w = net.node("DequantizeLinear", net.const(values, dtype=None), *grid, axis=axis)
        w = net.node("Transpose", w, perm=perm)
        b = net.const(net.rng.integers(-99, 99, shape[axis]), dtype=np.int32)
        b = net.node("DequantizeLinear", b, net.const(grid_scale(net, grid) * 0.05), axis=0)
        x = net.node("Transpose", x, perm=[0, 3, 1, 2])
        y = net.node("Conv", x, w, b, group=group, auto_pad="SAME_UPPER", strides=[2, 2])
        return net.node("Transpose", y, perm=[0, 2, 3, 1])


def grid_scale(net, grid):
    return next(onnx.numpy_helper.to_array(t) for t in net.initializers if t.name == grid[0])


def test_tflite_by_tf2onnx(new_net, same_function, ops_of):
    net = new_net(opset=13)
    lite = TfLite(net)
    x = lite.quantized(net.input(shape=(1, 8, 8, 3)), 0.05, -3)
    x = lite.quantized(lite.conv(x, (4, 3, 3, 3)), 0.03, -128)
    x = lite.quantized(lite.conv(x, (1, 3, 3, 4), group=4), 0.03, -128)
    x = net.node("ReduceMean", x, axes=[1, 2], keepdims=0)
    x = lite.quantized(x, 0.03, -128)
    model = net.model(net.node("Softmax", net.gemm(x, (4, 5))))
    images = net.rng.normal(size=(8, 8, 8, 3)).astype(np.float32)
    canonical = same_function(model, images)
    assert ops_of(canonical) == [
        *PAIR, "Transpose", "Conv", *PAIR, "Conv", *PAIR, "AveragePool", "Flatten", *PAIR, "Gemm",
        "Softmax",
    ]  # fmt: skip
    kept = canonicalise(model, keep_integers=True)
    layers = [n for n in kept.graph.nodes if n.op == "Conv"]
    assert [n.inputs[1].inputs[0].op for n in layers] == ["DequantizeLinear"] * 2
    shapes = [n.inputs[1].inputs[0].inputs[0].values.shape for n in layers]
    assert shapes == [(4, 3, 3, 3), (4, 1, 3, 3)]
    assert [n.inputs[1].inputs[0].attrs["axis"] for n in layers] == [0, 0]
