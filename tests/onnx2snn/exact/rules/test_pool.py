"""Average and max pools: of codes, of sums, with every kind of padding."""

import pytest
from onnx import TensorProto

PADDINGS = {
    "none": {},
    "excluded": {"pads": [1, 0, 1, 1]},
    "counted": {"pads": [1, 0, 1, 1], "count_include_pad": 1},
    "ceil": {"ceil_mode": 1, "strides": [2, 2]},
    "ceil and counted": {
        "ceil_mode": 1, "strides": [2, 2], "pads": [1, 1, 0, 0], "count_include_pad": 1,
    },
}  # fmt: skip


def behind(net, x, scale=0.2, zero=3):
    net.quantize(x, scale, zero, name="behind")
    return net.model(net.nodes[-1].output[0])


@pytest.mark.parametrize("case", PADDINGS)
@pytest.mark.parametrize("zero", [0, -7])
def test_average_pool(quantized_net, exactly, recipes, case, zero):
    net = quantized_net(seed=1)
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), 0.3, zero, name="a")
    x = net.node("AveragePool", x, kernel_shape=[2, 3], **PADDINGS[case])
    x = net.quantize(x, 0.17, name="pooled")
    check = exactly(behind(net, net.layer(x, (2, 3, 1, 1))), net.images())
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(quantized_net, exactly, op):
    net = quantized_net(seed=2)
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), [0.25, 0.125, 0.5], [1, -3, 0],
                     name="a", axis=1)  # fmt: skip
    x = net.node("Flatten", net.node(op, x))
    check = exactly(behind(net, net.layer(x, (3, 4), op="Gemm")), net.images())
    check.check("exact")
    check.check("exact-radix")


def test_average_pool_of_a_layer_without_a_bias(quantized_net, exactly):
    net = quantized_net(seed=3)
    x = net.layer(net.data(), (3, 2, 1, 1), [0.25, 0.1, 0.3], bias=False)
    x = net.node("AveragePool", x, kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    check = exactly(behind(net, net.relu(x)), net.images())
    check.check("exact-asg")
    check.check("exact-radix")


MAXIMA = {
    "plain": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "padded": {"kernel_shape": [3, 2], "pads": [1, 1, 2, 0]},
    "ceil": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
}


@pytest.mark.parametrize("case", MAXIMA)
@pytest.mark.parametrize("zero", [0, 255, 100])
def test_max_pool_of_codes(quantized_net, exactly, recipes, case, zero):
    """All codes may be negative; padding is never the largest."""
    net = quantized_net(seed=4)
    x = net.layer(net.data(), (3, 2, 1, 1))
    x = net.quantize(x, 0.05, zero, TensorProto.UINT8, name="a")
    x = net.node("MaxPool", x, **MAXIMA[case])
    check = exactly(behind(net, net.layer(x, (2, 3, 1, 1))), net.images())
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize("case", MAXIMA)
def test_max_pool_of_sums(quantized_net, exactly, recipes, case):
    """A layer, its bias and an activation may stand in front of it."""
    net = quantized_net(seed=5)
    x = net.node(
        "LeakyRelu", net.layer(net.data(zero=4), (3, 2, 2, 2), [0.25, 0.1, 0.3]), alpha=0.5
    )
    x = net.node("MaxPool", x, **MAXIMA[case])
    check = exactly(behind(net, x), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_max_pool_of_the_input(quantized_net, exactly, recipes):
    net = quantized_net(seed=6)
    x = net.node("MaxPool", net.data(zero=-9), kernel_shape=[2, 2])
    check = exactly(behind(net, net.layer(x, (2, 2, 1, 1))), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_pools_in_a_row(quantized_net, exactly, recipes):
    net = quantized_net(seed=7)
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), 0.3, name="a")
    x = net.node("MaxPool", net.node("MaxPool", x, kernel_shape=[2, 2]), kernel_shape=[1, 2])
    x = net.node("AveragePool", x, kernel_shape=[2, 2])
    x = net.node("MaxPool", x, kernel_shape=[2, 1])
    check = exactly(behind(net, net.node("Mul", x, net.const(1.5))), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_max_pool_in_front_of_a_negative_factor(quantized_net, exactly):
    net = quantized_net(seed=8)
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), 0.3, name="a")
    x = net.node("MaxPool", net.node("Mul", x, net.const(-1.5)), kernel_shape=[2, 2])
    check = exactly(behind(net, net.node("Sub", net.const(1.0), x)), net.images())
    check.check("exact")
    check.check("exact-radix")
