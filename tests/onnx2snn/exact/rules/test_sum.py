"""Add, Sub, Mul and Div: scales that differ, constants of any sign, tensors read twice."""

import numpy as np
import pytest


def two(net, scales=(0.25, 0.75), zeros=(0, 0)):
    """Two quantized branches of one input."""
    x = net.data()
    names = ("a", "b")
    return [
        net.quantize(net.layer(x, (3, 2, 1, 1)), s, z, name=n)
        for s, z, n in zip(scales, zeros, names, strict=True)
    ]


def behind(net, x, scale=0.5, zero=3):
    net.quantize(x, scale, zero, name="behind")
    return net.model(net.nodes[-1].output[0])


SCALES = {
    "alike": (0.25, 0.25),
    "multiples": (0.25, 0.75),
    "nothing in common": (0.1, 0.3),
    "far apart": (0.003, 1.7),
}


@pytest.mark.parametrize("op", ["Add", "Sub"])
@pytest.mark.parametrize("scales", SCALES)
def test_two_signals(quantized_net, exactly, op, scales):
    net = quantized_net(seed=1)
    a, b = two(net, SCALES[scales], (5, -7))
    check = exactly(behind(net, net.node(op, a, b)), net.images())
    check.check("exact")
    check.check("exact-radix")


@pytest.mark.parametrize(
    "case", ["plain", "relu in front", "relu behind", "relu that cuts", "clip behind", "max pool"]
)
@pytest.mark.parametrize("recipe", ["exact", "exact-asg", "exact-radix"])
def test_the_sum_of_codes_in_onnxruntimes_arithmetic(quantized_net, exactly, case, recipe):
    """With scales that float32 divides exactly it is the rational one."""
    net = quantized_net(seed=11)
    a, b = two(net, (0.25, 1.0), (5, -7))
    if case == "relu in front":
        a = net.relu(a)
    elif case == "max pool":
        a, b = (net.node("MaxPool", x, kernel_shape=[2, 2]) for x in (a, b))
    x = net.node("Add", a, b)
    if case in {"relu behind", "relu that cuts"}:
        x = net.relu(x)
    elif case == "clip behind":
        x = net.node("Clip", x, net.const(-1.0), net.const(2.0))
    zero = -128 if case == "relu behind" else 4  # odd ones turn halves the other way
    check = exactly(behind(net, x, 0.5, zero), net.images())
    populations = {"a", "b"} if case == "relu in front" else None
    result = check.check(recipe, populations, arithmetic="ort")
    tables = [n for n in result.model.graph.node if n.op_type == "TableSynapse"]
    assert len(tables) == (case in {"plain", "relu behind", "max pool"})


def test_a_sum_of_integers_beyond_float32(quantized_net, exactly, recipes):
    """Scales without a common factor: the common unit is 2^-50 and less."""
    net = quantized_net(seed=2)
    a, b = two(net, (0.1, 0.3))
    x = net.relu(net.node("Add", a, b))
    check = exactly(behind(net, net.node("Identity", x)), net.images())
    for recipe in recipes:
        result = check.check(recipe)
        assert any(n.op_type == "Cast" and ".left.int64" in n.name for n in result.model.graph.node)


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_a_tensor_and_itself(quantized_net, exactly, op):
    net = quantized_net(seed=3)
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), 0.3, name="a")
    check = exactly(behind(net, net.node(op, x, x)), net.images())
    check.check("exact-asg")
    check.check("exact-radix")


def test_signals_of_a_scale_for_each_channel(quantized_net, exactly):
    net = quantized_net(seed=4)
    x = net.data()
    a = net.quantize(net.layer(x, (2, 2, 1, 1)), [0.25, 0.5], [1, 2], name="a", axis=1)
    b = net.quantize(net.layer(x, (1, 2, 1, 1)), 0.375, name="b")
    check = exactly(behind(net, net.node("Add", a, b)), net.images())
    check.check("exact")
    check.check("exact-radix")


def test_one_image_and_one_number_for_each_channel(quantized_net, exactly):
    net = quantized_net(seed=5)
    x = net.data()
    a = net.quantize(net.layer(x, (3, 2, 1, 1)), 0.25, name="a")
    b = net.quantize(net.layer(x, (3, 2, 4, 4)), 0.75, name="b")
    check = exactly(behind(net, net.node("Add", a, b)), net.images())
    check.check("exact-radix")


def test_layers_added_before_any_quantizer(quantized_net, exactly):
    net = quantized_net(seed=6)
    x = net.data()
    a, b = net.layer(x, (3, 2, 3, 3), 0.125), net.layer(x, (3, 2, 3, 3), [0.25, 0.5, 0.1])
    check = exactly(behind(net, net.node("Add", a, b), 1.5), net.images())
    check.check("exact")
    check.check("exact-radix")


CONSTANTS = {
    "number": 1.375,
    "negative": -0.25,
    "for each channel": np.array([2.0, -1.5, 0.25]).reshape(3, 1, 1),
    "with all axes": np.array([2.0, -1.5, 0.25]).reshape(1, 3, 1, 1),
    "with zeros": np.array([0.0, -1.5, 0.0]).reshape(1, 3, 1, 1),
    "one third": np.float32(1 / 3),
}


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("first", [True, False])
def test_a_constant(quantized_net, exactly, op, constant, first):
    if op == "Div" and (constant == "with zeros" or not first):
        pytest.skip("no number")
    net = quantized_net(seed=7)
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), 0.375, name="a")
    value = net.const(CONSTANTS[constant])
    x = net.node(op, *((x, value) if first else (value, x)))
    check = exactly(behind(net, x), net.images())
    check.check("exact-radix")


def test_constants_in_a_row(quantized_net, exactly, recipes):
    """Offsets through negative factors, sums and average pools."""
    net = quantized_net(seed=8)
    a, b = two(net)
    x = net.node("Mul", net.node("Add", a, net.const(1.5)), net.const([[[-0.5]], [[1.0]], [[0.0]]]))
    x = net.node("Add", net.node("Sub", net.const(0.75), x), b)
    check = exactly(behind(net, net.relu(x)), net.images())
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_a_constant_behind_an_activation(quantized_net, exactly, op):
    net = quantized_net(seed=9)
    x = net.relu(net.layer(net.data(), (3, 2, 1, 1)))
    x = net.node(op, x, net.const(np.array([0.5, 1.5, 2.0]).reshape(3, 1, 1)))
    check = exactly(behind(net, net.node("Clip", x, net.const(-9.0), net.const(2.0))), net.images())
    check.check("exact")
    check.check("exact-radix")


def test_a_constant_that_widens_the_tensor_stays_analog(quantized_net, exactly):
    net = quantized_net(seed=10)
    x = net.quantize(net.layer(net.data(), (1, 2, 1, 1)), 0.375, name="a")
    x = net.node("Add", x, net.const(np.ones((3, 1, 1))), name="wide")
    x = net.layer(net.quantize(x, 0.25, name="b"), (2, 3, 1, 1))
    result = exactly(behind(net, x), net.images()).check("exact-radix", {"a", "behind"})
    (island,) = [d for d in result.diagnostics if d.code == "ANALOG_ISLAND"]
    assert (island.node, "widens" in island.why) == ("'wide' (Add)", True)
