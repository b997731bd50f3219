"""Conv, ConvTranspose, Gemm, MatMul: every integer behind them, by every recipe."""

import numpy as np
import pytest
from onnx import TensorProto

IMAGES = {
    "plain": ((3, 2, 3, 3), {}),
    "strides": ((3, 2, 2, 3), {"strides": [2, 1]}),
    "pads": ((3, 2, 3, 3), {"pads": [1, 0, 2, 1]}),
    "dilations": ((3, 2, 2, 2), {"dilations": [2, 3]}),
    "groups": ((4, 1, 3, 3), {"group": 2, "pads": [1] * 4}),
}
TRANSPOSED = {
    "plain": ((2, 3, 2, 2), {}),
    "strides": ((2, 3, 3, 2), {"strides": [2, 3], "output_padding": [1, 2]}),
    "pads": ((2, 3, 3, 3), {"pads": [1, 0, 2, 1], "dilations": [1, 2]}),
    "groups": ((2, 2, 3, 3), {"group": 2, "strides": [2, 2], "pads": [1] * 4}),
}


def scales(net, count):
    return (net.rng.integers(1, 9, count) / 64).astype(np.float32)


def unequal(net, x, count=2, **attributes):
    """A quantizer with a scale and a zero point for each channel."""
    zero = net.rng.integers(-5, 6, count)
    return net.quantize(x, scales(net, count) * 4, zero, name="unequal", axis=1, **attributes)


def behind(net, x, scale=2.0, zero=-4):
    net.quantize(x, scale, zero, name="behind")
    return net.model(net.nodes[-1].output[0])


@pytest.mark.parametrize("case", IMAGES)
def test_conv(quantized_net, exactly, recipes, case):
    shape, attrs = IMAGES[case]
    net = quantized_net(seed=1)
    x = net.data(zero=3, kind=TensorProto.UINT8)
    x = net.quantize(net.layer(x, shape, scales(net, shape[0]), **attrs), 0.75, -4, name="a")
    check = exactly(behind(net, net.layer(x, (2, shape[0], 1, 1))), net.images())
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize("case", TRANSPOSED)
def test_conv_transpose(quantized_net, exactly, case):
    shape, attrs = TRANSPOSED[case]
    net = quantized_net(seed=2)
    scale = scales(net, shape[1])
    x = net.layer(net.data(zero=-3), shape, scale, op="ConvTranspose", axis=1, **attrs)
    check = exactly(behind(net, x), net.images())
    check.check("exact")
    check.check("exact-radix")


@pytest.mark.parametrize(
    ("kind", "shape", "attrs"),
    [
        ("Conv", (4, 2, 3, 3), {}),
        ("Conv", (4, 1, 3, 3), {"group": 2}),
        ("Conv", (2, 1, 2, 2), {"group": 2}),
        ("ConvTranspose", (2, 3, 2, 2), {}),
        ("ConvTranspose", (2, 3, 2, 2), {"group": 2}),
    ],
)
def test_inputs_of_several_scales(quantized_net, exactly, kind, shape, attrs):
    net = quantized_net(seed=3)
    x = unequal(net, net.layer(net.data(), (2, 2, 1, 1)))
    check = exactly(behind(net, net.layer(x, shape, op=kind, **attrs)), net.images())
    check.check("exact-asg")
    check.check("exact-radix")


@pytest.mark.parametrize("flat", ["Flatten", "Reshape"])
def test_a_matrix_behind_an_image_of_several_scales(quantized_net, exactly, flat):
    net = quantized_net(seed=4)
    x = unequal(net, net.layer(net.data(), (2, 2, 1, 1)))
    x = net.node(flat, x, *([net.ints(0, -1)] if flat == "Reshape" else []))
    check = exactly(behind(net, net.layer(x, (32, 3), op="MatMul", bias=False)), net.images())
    check.check("exact")
    check.check("exact-radix")


@pytest.mark.parametrize(
    ("shape", "attrs", "bias"),
    [
        ((8, 3), {}, (3,)),
        ((3, 8), {"transB": 1}, (1, 3)),
        ((8, 3), {"alpha": 0.5, "beta": 2.0}, (3,)),
        ((8, 3), {"beta": -1.0}, (1,)),
        ((8, 3), {}, None),
    ],
)
def test_gemm(quantized_net, exactly, recipes, shape, attrs, bias):
    net = quantized_net(seed=5)
    x = net.data(("N", 8), zero=9)
    inputs = [x, net.integers(shape, scales(net, 3), axis=0 if attrs.get("transB") else 1)]
    if bias is not None:
        inputs.append(net.const(net.rng.integers(-9, 10, bias) / 16))
    check = exactly(behind(net, net.node("Gemm", *inputs, **attrs)), net.images(4, (8,)))
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize("shape", [("N", 6), ("N", 3, 6), ("N", 2, 3, 6)])
def test_matmul(quantized_net, exactly, shape):
    net = quantized_net(seed=6)
    x = net.layer(net.data(shape), (6, 5), op="MatMul", bias=False)
    check = exactly(behind(net, x, 0.5), net.images(3, shape[1:]))
    check.check("exact")
    check.check("exact-radix")


def test_rows_of_several_scales_are_not_the_summed_axis(quantized_net, exactly):
    """[N, 3, 3] times a matrix: axis 1 has three scales, and axis 2 is summed."""
    net = quantized_net(seed=7)
    x = net.quantize(net.data(("N", 3, 3)), [0.25, 0.5, 0.125], [0] * 3, name="unequal", axis=1)
    x = net.quantize(net.layer(x, (3, 3), op="MatMul", bias=False, name="odd"), 0.25, name="a")
    model = behind(net, net.layer(x, (3, 3), op="MatMul", bias=False))
    result = exactly(model, net.images(3, (3, 3))).check("exact-radix", {"unequal", "behind"})
    told = {d.node: d.why for d in result.diagnostics if d.code == "ANALOG_ISLAND"}
    assert "several scales" in told["'odd' (MatMul)"]


def test_dead_channels_and_dead_layers(quantized_net, exactly, recipes):
    """Weights of zero: the integer is that of the bias, whatever comes in."""
    net = quantized_net(seed=8)
    weights = np.array([[[[0]], [[0]]], [[[3]], [[-2]]], [[[0]], [[0]]]], dtype=np.int8)
    given = [net.const(weights, dtype=None), net.const([0.5, 0.25, 0.125])]
    given.append(net.const(np.zeros(3, np.int8), dtype=None))
    w = net.node("DequantizeLinear", *given, axis=0)
    x = net.node("Conv", net.data(), w, net.const([5.0, 0.0, -40.0]))
    x = net.quantize(x, 0.25, name="a")
    weights = net.node("DequantizeLinear", net.const(np.zeros((2, 3, 1, 1), np.int8), dtype=None),
                       net.const(0.5), net.const(np.int8(0), dtype=None))  # fmt: skip
    x = net.node("Conv", x, weights, net.const([7.0, 7.0]))
    check = exactly(behind(net, x, 1.0, 0), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_float_weights_of_few_bits_are_integers_too(quantized_net, exactly):
    net = quantized_net(seed=9)
    weights = net.const(net.rng.integers(-7, 8, (3, 2, 3, 3)) / 16)
    check = exactly(behind(net, net.node("Conv", net.data(), weights)), net.images())
    check.check("exact-radix")


@pytest.mark.parametrize("scale", [-0.25, 0.0])
def test_weights_whose_scale_is_not_positive(quantized_net, exactly, scale):
    """Legal, if odd: the sign belongs to the integers."""
    net = quantized_net(seed=10)
    x = net.layer(net.data(), (3, 2, 3, 3), [0.25, scale, 0.125])
    check = exactly(behind(net, x), net.images())
    check.check("exact")
    check.check("exact-radix")
