"""Operators on integers become float operators between quantizers, with the same integers."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise

MS = "com.microsoft"
PAIR = ["QuantizeLinear", "DequantizeLinear"]


@pytest.fixture
def build(new_net, new_integers):
    """A network and the writer of its integers."""

    def make(opset=18, **options):
        net = new_net(opset=opset, **options)
        net.domains = [MS]
        return net, new_integers(net)

    return make


def images(net, *shape):
    return net.rng.normal(size=shape or (2, 4, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize(("out", "zero"), [(np.uint8, 0), (np.uint8, 113), (np.int8, -7)])
@pytest.mark.parametrize(
    ("weight", "group", "bias"), [(np.int8, 1, True), (np.int8, 4, False), (np.uint8, 1, True)]
)
def test_convolution(build, same_exactly, ops_of, axis, out, zero, weight, group, bias):
    net, ints = build(13)
    x = ints.tensor(net.input(shape=("N", 4, 6, 6)), 2.0**-5, zero, out)
    if out is np.int8 and weight is np.uint8:
        weight = np.int8  # onnxruntime has no kernel for the other
    w = ints.weights((8, 4 // group, 3, 3), weight, axis)
    y = ints.parameters(0.25, zero, out)
    more = [ints.bias(8)] if bias else []
    attrs = {"group": group, "pads": [1, 0, 1, 0], "strides": [2, 1]}
    z = net.node("QLinearConv", *x, *w, *y, *more, name="conv", **attrs)
    z = ints.real(z, 0.25, zero, out)
    canonical = same_exactly(net.model(z, shape=["N", 8, 3, 4]), images(net))
    assert ops_of(canonical) == [*PAIR, "Conv", *PAIR]
    assert canonical.graph.nodes[2].name == "conv"
    assert canonical.source.dialects == ("QDQ", "QOperator")


def test_convolution_of_channels_last(build, same_exactly, ops_of):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 6, 6, 4)), 2.0**-5, 3)
    w, y = ints.weights((8, 4, 3, 3), axis=0), ints.parameters(0.25, 90, np.uint8)
    z = net.node("QLinearConv", *x, *w, *y, ints.bias(8), domain=MS, channels_last=1, pads=[1] * 4)
    z = ints.real(z, 0.25, 90)
    canonical = same_exactly(net.model(z, shape=["N", 6, 6, 8]), images(net, 2, 6, 6, 4))
    ops = [o for o in ops_of(canonical) if o not in PAIR]
    assert ops == ["Transpose", "Conv", "Transpose"]


def test_the_oldest_opset_with_these_operators(build, same_exactly, ops_of):
    """Foreign operators stand between those that are lifted."""
    net, ints = build(10)
    x = ints.tensor(net.input(shape=("N", 4, 6, 6)), 2.0**-5, 100)
    y = ints.parameters(0.25, 10, np.uint8)
    z = net.node("QLinearConv", *x, *ints.weights((4, 4, 3, 3)), *y, ints.bias(4), pads=[1] * 4)
    z = net.node("QLinearAdd", z, *y, *x, *y, domain=MS)
    z = net.node("Clip", ints.real(z, 0.25, 10), min=-1.0, max=6.0)
    canonical = same_exactly(net.model(net.node("Flatten", z), shape=["N", 144]), images(net))
    assert ops_of(canonical) == [*PAIR, "Conv", *PAIR, "Add", *PAIR, "Clip", "Flatten"]


@pytest.mark.parametrize("axis", [None, 1])
def test_matrix_product(build, same_exactly, ops_of, axis):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 8)), 2.0**-5, 100)
    y = ints.parameters(0.125, 120, np.uint8)
    z = net.node("QLinearMatMul", *x, *ints.weights((8, 5), np.int8, axis), *y)
    canonical = same_exactly(net.model(ints.real(z, 0.125, 120)), images(net, 9, 8))
    assert ops_of(canonical) == [*PAIR, "Gemm", *PAIR]


@pytest.mark.parametrize("with_output", [True, False])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_fully_connected(build, same_exactly, ops_of, with_output, trans_b, alpha):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 8)), 2.0**-5, 100)
    shape, axis = ((5, 8), 0) if trans_b else ((8, 5), 1)
    w = ints.weights(shape, axis=axis)
    more = ints.parameters(0.125, 120, np.uint8) if with_output else []
    z = net.node("QGemm", *x, *w, ints.bias(5), *more, domain=MS, transB=trans_b, alpha=alpha)
    z = ints.real(z, 0.125, 120) if with_output else z
    canonical = same_exactly(net.model(z, shape=["N", 5]), images(net, 9, 8))
    assert ops_of(canonical) == [*PAIR, "Gemm", *(PAIR if with_output else [])]


@pytest.mark.parametrize(("op", "float_op"), [("QLinearAdd", "Add"), ("QLinearMul", "Mul")])
@pytest.mark.parametrize(("zero", "dtype"), [(80, np.uint8), (-6, np.int8), (None, np.uint8)])
def test_two_operands(build, same_exactly, ops_of, op, float_op, zero, dtype):
    """Even zero points: onnxruntime adds them before it rounds halves to even, ONNX behind."""
    net, ints = build()
    x = net.input(shape=("N", 4, 6, 6))
    a, b = ints.tensor(x, 2.0**-5, zero or 9, dtype), ints.tensor(x, 2.0**-6, zero or 9, dtype)
    y = ints.parameters(2.0**-4, zero or 0, dtype)
    if zero is None:  # the last one may be left out
        y.pop()
    z = ints.real(net.node(op, *a, *b, *y, domain=MS), 2.0**-4, zero or 0, dtype)
    canonical = same_exactly(net.model(z, shape=["N", 4, 6, 6]), images(net))
    assert ops_of(canonical).count(float_op) == 1


ONE = {
    "QLinearAveragePool": ({"kernel_shape": [2, 2], "strides": [2, 2]}, "AveragePool"),
    "QLinearGlobalAveragePool": ({}, "AveragePool"),
    "QLinearLeakyRelu": ({"alpha": 0.25}, None),  # a pass splits it
    "QLinearSigmoid": ({}, "Sigmoid"),
}


@pytest.mark.parametrize("op", ONE)
def test_one_operand(build, same_function, ops_of, op):
    """Equal but for single levels where onnxruntime's own kernels round otherwise."""
    attrs, float_op = ONE[op]
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 4, 8, 8)), 2.0**-5, 100)
    y = ints.parameters(2.0**-7, 128, np.uint8)
    z = ints.real(net.node(op, *x, *y, domain=MS, **attrs), 2.0**-7, 128)
    model = net.model(z, shape=["N", 4, None, None])
    canonical = same_function(model, images(net, 3, 4, 8, 8), tolerance=2.0**-7)
    assert float_op is None or float_op in ops_of(canonical)


def test_average_pool_of_channels_last(build, same_function, ops_of):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 8, 8, 4)), 2.0**-5, 100)
    y = ints.parameters(2.0**-7, 128, np.uint8)
    z = net.node("QLinearGlobalAveragePool", *x, *y, domain=MS, channels_last=1)
    model = net.model(ints.real(z, 2.0**-7, 128), shape=["N", 1, 1, 4])
    same_function(model, images(net, 3, 8, 8, 4), tolerance=2.0**-7)


def test_max_pool_of_channels_last(build, same_exactly, ops_of):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 6, 6, 4)), 2.0**-5, 100)
    z = net.node("NhwcMaxPool", x[0], domain=MS, kernel_shape=[2, 2], strides=[2, 2])
    model = net.model(ints.real(z, 2.0**-5, 100), shape=["N", 3, 3, 4])
    canonical = same_exactly(model, images(net, 2, 6, 6, 4))
    assert ops_of(canonical) == [*PAIR, "Transpose", "MaxPool", "Transpose"]


def test_concatenation(build, same_exactly, ops_of):
    net, ints = build()
    x = net.input(shape=("N", 4, 6, 6))
    a, b = ints.tensor(x, 2.0**-5, 100), ints.tensor(net.relu(x), 2.0**-6, 0)
    y = ints.parameters(2.0**-5, 90, np.uint8)
    z = ints.real(net.node("QLinearConcat", *y, *a, *b, domain=MS, axis=1), 2.0**-5, 90)
    canonical = same_exactly(net.model(z, shape=["N", 8, 6, 6]), images(net))
    assert ops_of(canonical).count("Concat") == 1


@pytest.mark.parametrize(("opset", "axis"), [(13, -1), (13, 1), (12, 1), (12, -1)])
@pytest.mark.parametrize("shape", [(8,), (3, 5)])
def test_softmax(build, same_function, opset, axis, shape):
    """Before opset 13, axis 1 stood for all axes from there on."""
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", *shape)), 2.0**-5, 128)
    y = ints.parameters(2.0**-8, 0, np.uint8)
    z = net.node("QLinearSoftmax", *x, *y, domain=MS, axis=axis, opset=opset)
    model = net.model(ints.real(z, 2.0**-8, 0), shape=["N", *shape])
    same_function(model, images(net, 4, *shape), tolerance=0.02)


@pytest.mark.parametrize("opset", [12, 13])
def test_integers_between_operators(build, same_exactly, ops_of, opset):
    """A whole network on integers: pools, shapes, a residual, a fully connected end."""
    net, ints = build(opset)
    x = ints.tensor(net.input(shape=("N", 4, 8, 8)), 2.0**-5, 100)
    y = ints.parameters(0.25, 10, np.uint8)
    z = net.node("QLinearConv", *x, *ints.weights((4, 4, 3, 3)), *y, ints.bias(4), pads=[1] * 4)
    z = net.node("MaxPool", z, kernel_shape=[2, 2], strides=[2, 2])
    w = ints.weights((4, 4, 1, 1))
    v = net.node("QLinearConv", z, *y, *w, *y, ints.bias(4))
    z = net.node("QLinearAdd", z, *y, v, *y, *y, domain=MS)
    z = net.node("Reshape", net.node("Transpose", z, perm=[0, 2, 3, 1]), net.ints(0, -1))
    z = net.node("QGemm", z, *y, *ints.weights((64, 5)), ints.bias(5), domain=MS)
    canonical = same_exactly(net.model(z, shape=["N", 5]), images(net, 3, 4, 8, 8))
    assert ops_of(canonical) == [
        *PAIR, "Conv", *PAIR, "MaxPool", "Conv", *PAIR, "Add", *PAIR, "Transpose", "Flatten",
        "Gemm",
    ]  # fmt: skip


def test_integer_input_and_output(build, same_exactly, ops_of):
    net, ints = build()
    x = [net.input(shape=("N", 4, 6, 6), dtype=TensorProto.UINT8)]
    x += ints.parameters(2.0**-5, 100, np.uint8)
    y = ints.parameters(0.25, 10, np.uint8)
    z = net.node("QLinearConv", *x, *ints.weights((3, 4, 3, 3)), *y)
    model = net.model(z, shape=["N", 3, 4, 4], dtype=TensorProto.UINT8)
    feeds = net.rng.integers(0, 256, (2, 4, 6, 6)).astype(np.uint8)
    canonical = same_exactly(model, feeds)
    assert ops_of(canonical) == ["DequantizeLinear", "Conv", "QuantizeLinear"]


def test_weights_stay_integers_on_demand(build, ops_of):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 4, 6, 6)), 2.0**-5, 100)
    y = ints.parameters(0.25, 10, np.uint8)
    w = ints.weights((3, 4, 3, 3), axis=0)
    z = net.node("QLinearConv", *x, *w, *y, ints.bias(3), name="conv")
    canonical = canonicalise(net.model(ints.real(z, 0.25, 10)), keep_integers=True)
    conv = next(n for n in canonical.graph.nodes if n.op == "Conv")
    weights, bias = (t.inputs[0] for t in conv.inputs[1:])
    assert (weights.op, bias.op) == ("DequantizeLinear", "DequantizeLinear")
    assert (weights.inputs[0].dtype, bias.inputs[0].dtype) == (np.int8, np.int32)
    assert (weights.attrs["axis"], bias.attrs["axis"]) == (0, 0)
    wanted = np.float32(2.0**-5) * weights.inputs[1].values
    np.testing.assert_array_equal(bias.inputs[1].values, wanted)


@pytest.mark.parametrize("which", ["computed", "rows"])
def test_scales_that_cannot_be(build, which):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 8)), 2.0**-5, 100)
    if which == "computed":
        x[1] = net.node("ReduceMax", "x", keepdims=0)
    else:
        x[1:] = ints.parameters(np.ones(4), np.zeros(4), np.uint8)
    y = ints.parameters(0.125, 120, np.uint8)
    z = net.node("QLinearMatMul", *x, *ints.weights((8, 5)), *y, name="product")
    model = net.model(ints.real(z, 0.125, 120), check=False, shape=["N", 5])
    with pytest.raises(UnsupportedModelError, match=r"'product' \(QLinearMatMul\).*QDQ format"):
        canonicalise(model)


def test_the_source_runs_on_other_files_too(data_folder, same_function, ops_of):
    """onnxruntime's optimizer mixes QOperator and QDQ; its kernels round a few sums otherwise."""
    model = onnx.load(data_folder / "models/mlperftiny_cifar10_resnet8_int8_qoperator_ort.onnx")
    with np.load(data_folder / "cifar10_test_lossless.npz") as archive:
        x = np.moveaxis(archive["images"][:32], -1, 1).astype(np.float32)
    canonical = same_function(model, x, tolerance=0.1)
    assert {n.domain or "" for n in canonical.graph.nodes} == {""}
