"""Every exactly evaluated operator against onnxruntime, on numbers that float32 holds exactly."""

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from onnx2snn.evaluation.rational import RationalNetwork
from onnx2snn.evaluation.rational.operator import EXACT

IMAGE = ("N", 3, 6, 5)


def conv(q, x, shape, bias=True, **attributes):
    inputs = [x, q.weights(*shape)]
    if bias:
        inputs.append(q.bias(shape[0]))
    return q.net.node("Conv", *inputs, **attributes)


def float_conv(q, x):
    """Weights that are no integers times a scale."""
    values = q.rng.integers(-200, 200, (4, 3, 3, 3)) / 256
    return q.net.node("Conv", x, q.net.const(values))


def depthwise_of_channels(q, x):
    """A layer with a unit for each channel, read by a depthwise one without a quantizer between."""
    wide = conv(q, x, (6, 3, 1, 1))
    return conv(q, wide, (12, 1, 3, 3), group=6, pads=[1, 1, 1, 1])


def two_units(q, x):
    """A convolution of a concatenation of tensors with different scales."""
    other = q.pair(q.net.node("Neg", x), scale=2.0**-3)
    return conv(q, q.net.node("Concat", x, other, axis=1), (4, 6, 3, 3))


def transposed(q, x, **attributes):
    weights = q.weights(3, 2, 3, 3, axis=1)
    return q.net.node("ConvTranspose", x, weights, q.bias(2), **attributes)


def transposed_groups(q, x):
    return q.net.node("ConvTranspose", x, q.weights(3, 2, 2, 2), group=3, strides=[2, 2])


def gemm(q, x, **attributes):
    flat = q.net.node("Flatten", x)
    shape = (4, 90) if attributes.get("transB") else (90, 4)
    weights = q.weights(*shape, axis=0 if attributes.get("transB") else 1)
    return q.net.node("Gemm", flat, weights, q.bias(4), **attributes)


def matmul(q, x):
    return q.net.node("MatMul", x, q.weights(5, 4, axis=1))


def matmul_of_columns(q, x):
    """A scale for each row of the matrix, along which is summed."""
    return q.net.node("MatMul", x, q.weights(5, 4, axis=0))


def matmul_of_transposed(q, x):
    return q.net.node("MatMul", x, q.net.node("Transpose", q.weights(4, 5), perm=[1, 0]))


def residual(q, x):
    other = q.pair(conv(q, x, (3, 3, 1, 1)), scale=2.0**-2)
    return q.net.node("Add", x, other)


def pool(q, x, op, **attributes):
    return q.net.node(op, x, **attributes)


def pool_of_layer(q, x, op, **attributes):
    """A pool of accumulators, with units and offsets of each channel."""
    return q.net.node(op, conv(q, x, (4, 3, 1, 1)), **attributes)


def reduced(q, x, op, axes, keepdims=1):
    return q.net.node(op, x, q.net.ints(*axes), keepdims=keepdims)


def constant(q, x, op, values):
    return q.net.node(op, x, q.net.const(values))


def per_channel(q, x, op):
    return constant(q, x, op, np.array([0.5, -0.75, 2.0]).reshape(3, 1, 1))


def per_element(q, x, op):
    return constant(q, x, op, q.rng.integers(-8, 8, (3, 6, 5)) / 8)


def activation(q, x, op, *constants, **attributes):
    layer = conv(q, x, (4, 3, 1, 1))
    return q.net.node(op, layer, *(q.net.const(c) for c in constants), **attributes)


def shaped(q, x, op, *constants, **attributes):
    """A move of a layer's outputs, which have a unit for each channel."""
    layer = conv(q, x, (4, 3, 1, 1))
    inputs = [q.net.const(c, dtype=None) for c in constants]
    return q.net.node(op, layer, *inputs, **attributes)


def resized(q, x, **attributes):
    layer = conv(q, x, (4, 3, 1, 1))
    return q.net.node("Resize", layer, "", q.net.const([1, 1, 2, 1.5]), **attributes)


def ints(*values):
    return np.array(values, dtype=np.int64)


def corner(q, x, *lengths):
    """The beginning of the last axes."""
    axes = range(4 - len(lengths), 4)
    return q.net.node(
        "Slice", x, q.net.ints(*(0 for _ in lengths)), q.net.ints(*lengths), q.net.ints(*axes)
    )


PADS = ints(0, 0, 1, 0, 0, 0, 2, 1)
CASES = {
    "Conv": lambda q, x: conv(q, x, (4, 3, 3, 3), pads=[1, 0, 2, 1], strides=[2, 1]),
    "Conv dilated": lambda q, x: conv(q, x, (4, 3, 2, 2), dilations=[2, 3], bias=False),
    "Conv grouped": lambda q, x: conv(q, conv(q, x, (4, 3, 1, 1)), (6, 2, 2, 2), group=2),
    "Conv of floats": float_conv,
    "Conv depthwise": depthwise_of_channels,
    "Conv of two units": two_units,
    "ConvTranspose": lambda q, x: transposed(q, x, strides=[2, 1], pads=[1, 0, 0, 1]),
    "ConvTranspose extra": lambda q, x: transposed(
        q, x, strides=[2, 2], dilations=[2, 1], output_padding=[1, 0]
    ),
    "ConvTranspose grouped": transposed_groups,
    "Gemm": gemm,
    "Gemm scaled": lambda q, x: gemm(q, x, transB=1, alpha=0.5, beta=2.0),
    "MatMul": matmul,
    "MatMul of columns": matmul_of_columns,
    "MatMul of a transposed matrix": matmul_of_transposed,
    "Add": residual,
    "Add of a map": lambda q, x: per_element(q, x, "Add"),
    "Sum": lambda q, x: q.net.node("Sum", x, x, q.net.const(0.5)),
    "Sub": lambda q, x: per_channel(q, x, "Sub"),
    "Sub from a constant": lambda q, x: q.net.node("Sub", q.net.const(0.5), x),
    "Neg": lambda q, x: q.net.node("Neg", x),
    "Mul": lambda q, x: per_channel(q, x, "Mul"),
    "Mul by a map": lambda q, x: per_element(q, x, "Mul"),
    "Div": lambda q, x: constant(q, x, "Div", [4.0]),
    "Div by a scalar": lambda q, x: constant(q, x, "Div", 4.0),
    "AveragePool": lambda q, x: pool(
        q, x, "AveragePool", kernel_shape=[2, 2], pads=[0, 1, 1, 0], strides=[2, 1]
    ),
    "AveragePool with padding": lambda q, x: pool_of_layer(
        q, x, "AveragePool", kernel_shape=[4, 2], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "GlobalAveragePool": lambda q, x: pool(q, corner(q, x, 4, 4), "GlobalAveragePool"),
    "ReduceMean": lambda q, x: reduced(q, corner(q, x, 4, 5), "ReduceMean", [2]),
    "ReduceSum": lambda q, x: reduced(
        q, conv(q, x, (4, 3, 1, 1)), "ReduceSum", [1, -1], keepdims=0
    ),
    "MaxPool": lambda q, x: pool(q, x, "MaxPool", kernel_shape=[2, 3], strides=[2, 1]),
    "MaxPool of a layer": lambda q, x: pool_of_layer(
        q, x, "MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    ),
    "GlobalMaxPool": lambda q, x: pool_of_layer(q, x, "GlobalMaxPool"),
    "Relu": lambda q, x: activation(q, x, "Relu"),
    "Clip": lambda q, x: activation(q, x, "Clip", -0.5, 1.25),
    "Clip below": lambda q, x: activation(q, x, "Clip", 0.25),
    "HardSigmoid": lambda q, x: activation(q, x, "HardSigmoid", alpha=0.5, beta=0.25),
    "LeakyRelu": lambda q, x: activation(q, x, "LeakyRelu", alpha=0.25),
    "PRelu": lambda q, x: activation(
        q, x, "PRelu", np.array([0.5, -0.25, 2, 0], np.float32).reshape(4, 1, 1)
    ),
    "Identity": lambda q, x: shaped(q, x, "Identity"),
    "Reshape": lambda q, x: shaped(q, x, "Reshape", ints(0, 2, -1)),
    "Flatten": lambda q, x: shaped(q, x, "Flatten"),
    "Transpose": lambda q, x: shaped(q, x, "Transpose", perm=[0, 2, 3, 1]),
    "Slice": lambda q, x: shaped(q, x, "Slice", ints(1, 0), ints(4, 9), ints(1, 2), ints(1, 2)),
    "Split": lambda q, x: shaped(q, x, "Split", ints(1, 3), axis=1, outputs=2),
    "Squeeze": lambda q, x: q.net.node(
        "Squeeze", shaped(q, x, "Unsqueeze", ints(2)), q.net.ints(2)
    ),
    "Unsqueeze": lambda q, x: shaped(q, x, "Unsqueeze", ints(3)),
    "Pad": lambda q, x: shaped(q, x, "Pad", PADS),
    "Pad reflected": lambda q, x: shaped(q, x, "Pad", PADS, mode="reflect"),
    "Concat": two_units,
    "Resize": lambda q, x: resized(q, x, coordinate_transformation_mode="asymmetric"),
    "Resize of halves": lambda q, x: resized(q, x, nearest_mode="ceil"),
    "Gather": lambda q, x: shaped(q, x, "Gather", ints(2, 0), axis=1),
    "Expand": lambda q, x: q.net.node(
        "Expand", shaped(q, x, "Unsqueeze", ints(1)), q.net.ints(1, 2, 1, 1, 1)
    ),
    "Tile": lambda q, x: shaped(q, x, "Tile", ints(1, 1, 2, 1)),
    "DepthToSpace": lambda q, x: shaped(q, x, "DepthToSpace", blocksize=2),
    "SpaceToDepth": lambda q, x: q.net.node(
        "SpaceToDepth", shaped(q, x, "Pad", ints(0, 0, 0, 0, 0, 0, 0, 1)), blocksize=2
    ),
}


def test_every_operator_has_a_case():
    assert set(EXACT.names()) == {name.split()[0] for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_integers(case, quantized, tapped):
    """All integers equal onnxruntime's; halfway values are among them."""
    value = CASES[case](quantized, quantized.input(IMAGE))
    end = quantized.pair(value, scale=2.0**-2, zero_point=5, name="end")
    model = quantized.net.model(end, shape=None)
    images = quantized.rng.integers(-60, 60, (3, 3, 6, 5)).astype(np.float32) / 32
    wanted, (output,) = tapped(model, images)
    found = {}

    def observe(rounded):
        found[rounded.name] = rounded

    answers = RationalNetwork(model).run({"x": images}, observe)
    assert found.keys() == wanted.keys()
    for name, integers in wanted.items():
        assert found[name].integers.dtype == integers.dtype
        np.testing.assert_array_equal(found[name].integers, integers, err_msg=name)
        assert found[name].reach is None
    assert found["end"].steps is not None
    np.testing.assert_array_equal(answers[end], output)
    assert len(np.unique(wanted["end"])) > 3


@pytest.mark.parametrize("case", CASES)
def test_reach(case, odd, run_stock):
    """Where float32 rounds, it stays within the proven distance of the exact value."""
    value = CASES[case](odd, odd.input(IMAGE))
    end = odd.pair(value, scale=2.0**-2, name="end")
    model = odd.net.model(end, value, shape=None)
    images = odd.rng.normal(size=(3, 3, 6, 5)).astype(np.float32)
    (scale,) = (n.input[1] for n in model.graph.node if n.name == "end")
    (step,) = (numpy_helper.to_array(t) for t in model.graph.initializer if t.name == scale)
    _, floats = run_stock(model, images)
    found = {}
    RationalNetwork(model, bounds=True).run({"x": images}, lambda r: found.update({r.name: r}))
    steps, error = found["end"].steps.estimate()
    apart = np.abs(floats.astype(np.float64) / np.float64(step) - steps)
    reach = np.broadcast_to(found["end"].reach, steps.shape)
    assert (apart <= reach + error).all()
    assert (reach < 0.01).all()


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_ceil_mode(op, quantized, tapped):
    extra = {"count_include_pad": 1} if op == "AveragePool" else {}
    value = quantized.net.node(
        op,
        quantized.input(("N", 1, 6, 6)),
        kernel_shape=[2, 2],
        strides=[3, 4],
        pads=[1, 0, 0, 1],
        ceil_mode=1,
        **extra,
    )
    end = quantized.pair(value, scale=2.0**-4, name="end")
    model = quantized.net.model(end, check=False, shape=["N", 1, None, None])
    images = quantized.rng.integers(-60, 60, (3, 1, 6, 6)).astype(np.float32) / 32
    wanted, _ = tapped(model, images)
    found = {}
    RationalNetwork(model).run({"x": images}, lambda r: found.update({r.name: r.integers}))
    np.testing.assert_array_equal(found["end"], wanted["end"])


@pytest.mark.parametrize(
    ("op", "build"),
    [
        ("Softmax", lambda q, x: q.net.node("Softmax", x, axis=1)),
        ("Mul", lambda q, x: q.net.node("Mul", x, q.net.node("Sigmoid", x))),
        ("Div", lambda q, x: q.net.node("Div", q.net.const(1.0), q.net.node("Exp", x))),
    ],
)
def test_what_has_no_exact_value(op, build, quantized, tapped):
    """float32 decides, as in onnxruntime, and it is told."""
    end = quantized.pair(build(quantized, quantized.input(IMAGE)), scale=2.0**-6, name="end")
    model = quantized.net.model(end)
    images = quantized.rng.normal(size=(3, 3, 6, 5)).astype(np.float32)
    wanted, _ = tapped(model, images)
    found = {}
    RationalNetwork(model).run({"x": images}, lambda r: found.update({r.name: r}))
    np.testing.assert_array_equal(found["end"].integers, wanted["end"])
    assert found["end"].steps is None


def test_integers_that_are_moved(quantized, tapped):
    """Operators between QuantizeLinear and DequantizeLinear work on the integers."""
    whole = quantized.quantized(quantized.net.input(shape=IMAGE), 2.0**-4, 3, np.int8)
    pooled = quantized.net.node("MaxPool", whole, kernel_shape=[2, 2])
    value = conv(quantized, quantized.dequantized(pooled, 2.0**-4, 3, np.int8), (4, 3, 3, 3))
    end = quantized.pair(value, name="end")
    model = quantized.net.model(end, dtype=TensorProto.FLOAT)
    images = quantized.rng.normal(size=(2, 3, 6, 5)).astype(np.float32)
    wanted, _ = tapped(model, images)
    found = {}
    RationalNetwork(model).run({"x": images}, lambda r: found.update({r.name: r.integers}))
    np.testing.assert_array_equal(found["end"], wanted["end"])
