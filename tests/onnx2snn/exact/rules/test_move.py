"""Concat, Slice, Pad, Transpose, Reshape and their like: integers move, units move with them."""

import numpy as np
import pytest
from onnx import TensorProto


def unequal(net, x, count=2, name="unequal"):
    """Quantized with a scale and a zero point for each channel."""
    scale = (net.rng.integers(1, 9, count) / 32).astype(np.float32)
    return net.quantize(x, scale, net.rng.integers(-5, 6, count), name=name, axis=1)


def behind(net, x, scale=0.5, zero=3):
    net.quantize(x, scale, zero, name="behind")
    return net.model(net.nodes[-1].output[0])


MOVES = {
    "identity": lambda n, x: n.node("Identity", x),
    "flatten": lambda n, x: n.node("Flatten", x),
    "reshape": lambda n, x: n.node("Reshape", x, n.ints(0, 4, -1)),
    "reshape in a channel": lambda n, x: n.node("Reshape", x, n.ints(0, 2, 2, 8)),
    "transpose": lambda n, x: n.node("Transpose", x, perm=[0, 1, 3, 2]),
    "channels as rows": lambda n, x: n.node("Transpose", x, perm=[0, 2, 1, 3]),
    "unsqueeze": lambda n, x: n.node("Unsqueeze", x, n.ints(2)),
    "slice": lambda n, x: n.node(
        "Slice", x, n.ints(1, 0), n.ints(4, 3), n.ints(2, 3), n.ints(2, 1)
    ),
    "slice of channels": lambda n, x: n.node("Slice", x, n.ints(1), n.ints(2), n.ints(1)),
    "channels backwards": lambda n, x: n.node(
        "Slice", x, n.ints(-1), n.ints(-(2**62)), n.ints(1), n.ints(-1)
    ),
    "pad": lambda n, x: n.node("Pad", x, n.ints(0, 0, 1, 0, 0, 0, 0, 2)),
    "pad with a given zero": lambda n, x: n.node(
        "Pad", x, n.ints(0, 0, 1, 0, 0, 0, 0, 2), n.const(0.0)
    ),
    "pad of channels": lambda n, x: n.node("Pad", x, n.ints(0, 1, 0, 0, 0, 2, 0, 0)),
    "concat": lambda n, x: n.node("Concat", x, x, axis=1),
    "concat from the end": lambda n, x: n.node("Concat", x, x, axis=-3),
    "concat of rows": lambda n, x: n.node("Concat", x, x, axis=2),
}  # fmt: skip


@pytest.mark.parametrize("source", ["one scale", "a scale for each channel", "a layer"])
@pytest.mark.parametrize("case", MOVES)
def test_what_moves(quantized_net, exactly, case, source):
    net = quantized_net(seed=1)
    x = net.data(zero=5)
    if case == "channels backwards" and source != "one scale":
        pytest.skip("scales do not follow a negative step")
    if source == "a layer":
        x = net.layer(x, (2, 2, 1, 1), [0.25, 0.1])
        if "pad" in case:
            pytest.skip("a bias is no zero")
    elif source == "one scale":
        x = net.quantize(net.layer(x, (2, 2, 1, 1)), 0.3, -7, name="a")
    else:
        x = unequal(net, net.layer(x, (2, 2, 1, 1)))
    check = exactly(behind(net, MOVES[case](net, x)), net.images())
    check.check("exact-radix")


def test_a_layer_behind_the_move(quantized_net, exactly, recipes):
    """Two scales, Slice, Concat and Transpose before the layer that has to put them on one."""
    net = quantized_net(seed=2)
    x = unequal(net, net.layer(net.data(), (3, 2, 1, 1)), 3)
    x = net.node("Concat", x, net.node("Slice", x, net.ints(1), net.ints(3), net.ints(1)), axis=1)
    x = net.node("Transpose", x, perm=[0, 1, 3, 2])
    check = exactly(behind(net, net.layer(x, (2, 5, 3, 2))), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_branches_of_differing_scales(quantized_net, exactly, recipes):
    net = quantized_net(seed=3)
    x = net.data()
    parts = [
        net.quantize(net.layer(x, (2, 2, 1, 1)), 0.375, 5, name="a"),
        net.quantize(net.layer(x, (1, 2, 1, 1)), 0.75, name="b"),
        unequal(net, net.layer(x, (2, 2, 1, 1))),
    ]
    joined = net.node("Concat", *parts, axis=1)
    both = [
        net.quantize(net.layer(joined, (2, 5, 1, 1)), 2.0, name="layer"),
        net.quantize(net.relu(joined), 0.5, 3, name="behind"),
    ]
    check = exactly(net.model(*both), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_layers_joined_before_their_quantizer(quantized_net, exactly):
    """Biases become offsets of their channels; sums of int64 make the others int64."""
    net = quantized_net(seed=4)
    x = net.data()
    a, b = net.layer(x, (2, 2, 1, 1), 0.1), net.layer(x, (2, 2, 1, 1), 0.3)
    wide = net.node("Add", net.quantize(a, 0.1, name="a"), net.quantize(b, 0.3, name="b"))
    joined = net.node("Concat", a, wide, b, axis=1)
    check = exactly(behind(net, net.relu(joined)), net.images())
    check.check("exact")
    check.check("exact-radix")


@pytest.mark.parametrize("arithmetic", ["rational", "ort"])
def test_twins_joined(quantized_net, exactly, arithmetic):
    """Two layers of the same scales are no one layer: their biases are those of other channels."""
    net = quantized_net(seed=5)
    x = net.data()
    bias = [net.const(np.int32([40, -60]), dtype=None), net.const(0.125 * 0.25)]
    b = net.node("DequantizeLinear", *bias)
    twins = [net.node("Conv", x, net.integers((2, 2, 1, 1), 0.125), b) for _ in range(2)]
    check = exactly(behind(net, net.node("Concat", *twins, axis=1)), net.images())
    check.check("exact-radix", arithmetic=arithmetic)


def test_one_scale_and_two_zero_points_joined(quantized_net, exactly):
    """onnxruntime's table of a code must hold the codes of both."""
    net = quantized_net(seed=9)
    x = net.data()
    a = net.quantize(net.layer(x, (2, 2, 1, 1)), 0.25, -128, name="a")
    joined = net.node("Concat", a, x, axis=1)
    check = exactly(behind(net, net.node("Add", joined, joined), 0.25, -128), net.images())
    for recipe in ("exact", "exact-radix"):
        check.check(recipe, arithmetic="ort")


@pytest.mark.parametrize(
    "make",
    [
        lambda n, x: n.node("Pad", n.node("Clip", x, n.const(0.5)), n.ints(0, 0, 1, 1, 0, 0, 1, 1)),
        lambda n, x: n.node("Pad", n.node("HardSigmoid", x), n.ints(0, 0, 1, 1, 0, 0, 1, 1)),
        lambda n, x: n.node("Pad", n.node("Add", x, n.const(1.0)), n.ints(0, 0, 1, 1, 0, 0, 1, 1)),
        lambda n, x: n.node("Pad", x, n.ints(0, 0, 1, 1, 0, 0, 1, 1), n.const(0.5)),
    ],
    ids=["clip", "hard sigmoid", "constant", "value"],
)
def test_padding_that_is_no_zero_stays_analog(quantized_net, exactly, make):
    net = quantized_net(seed=6)
    x = make(net, net.quantize(net.layer(net.data(), (2, 2, 1, 1)), 0.25, name="a"))
    x = net.layer(net.quantize(x, 0.125, name="b"), (2, 2, 1, 1))
    result = exactly(behind(net, x), net.images()).check("exact-radix", {"a", "behind"})
    (island,) = [d for d in result.diagnostics if d.code == "ANALOG_ISLAND"]
    assert "Pad" in island.node


def test_relu_lets_padding_pass(quantized_net, exactly):
    net = quantized_net(seed=7)
    x = net.relu(net.quantize(net.layer(net.data(), (2, 2, 1, 1)), 0.25, 9, name="a"))
    x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1))
    check = exactly(behind(net, x), net.images())
    check.check("exact")
    check.check("exact-radix")


@pytest.mark.parametrize("zero", [0, -128, 255])
def test_padding_is_zero_and_not_the_lowest_code(quantized_net, exactly, zero):
    kind = TensorProto.UINT8 if zero > 0 else TensorProto.INT8
    net = quantized_net(seed=8)
    x = net.quantize(net.layer(net.data(), (2, 2, 1, 1)), 0.25, zero, kind, name="a")
    x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1))
    check = exactly(behind(net, net.layer(x, (2, 2, 3, 3), pads=[1] * 4)), net.images())
    check.check("exact-radix")
