"""Which layers are of integers, and where their weights go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from onnx2snn_runtime.packed.graph import Graph
from onnx2snn_runtime.packed.layers import IntegerLayer, integer_layer, pack

MATRIX = {"q": np.ones((2, 3), np.int8), "scale": np.array([1, 2, 4], np.float32)}


def layer_of(model, floats=False):
    graph = Graph(model)
    return integer_layer(graph, graph.maker["y"], floats)


@pytest.fixture
def find(make_model):
    def find(body, floats=False, head=None, **constants):
        more = {} if head is None else {"head": head}
        return layer_of(make_model(body, ["y"], **more, **constants), floats)

    return find


def test_conv(find):
    layer = find(
        "y = Conv <strides = [2, 1], pads = [1, 0, 1, 2], dilations = [1, 2]> (s, w, bias)"
    )
    assert layer.weights.shape == (1, 3, 2, 3, 3)
    np.testing.assert_array_equal(layer.scale, [1, 0.5, 2])
    np.testing.assert_array_equal(layer.bias, [1, -2, 3])
    assert (layer.rank, layer.groups, layer.outputs) == (4, 1, 3)
    assert (layer.strides, layer.pads, layer.dilations) == ((2, 1), (1, 0, 1, 2), (1, 2))


def test_one_scale_for_all(find):
    np.testing.assert_array_equal(find("y = Conv (s, w)", scale=np.float32(2)).scale, [2, 2, 2])


def test_matrices(find):
    head = "w = DequantizeLinear <axis = {}> (q, scale)"
    for op in ("Gemm (x, w)", "MatMul (x, w)"):
        layer = find(f"y = {op}", head=head.format(1), **MATRIX)
        assert (layer.outputs, layer.rank) == (3, 2)
        np.testing.assert_array_equal(layer.scale, MATRIX["scale"])
    turned = {**MATRIX, "q": MATRIX["q"].T.copy()}
    assert find("y = Gemm <transB = 1> (x, w)", head=head.format(0), **turned).outputs == 3


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ('y = Conv <auto_pad = "SAME_UPPER"> (s, w)', {}),
        ("y = Conv <pads = [-1, 0, 0, 0]> (s, w)", {}),
        ("y = Conv (s, w, x)", {}),
        ("y = Conv (s, w)", {"q": np.ones((3, 2, 1, 1, 1), np.int8)}),
        ("y = Conv (s, w)", {"q": np.ones((3, 2, 1, 1), np.uint8)}),
        ("y = Gemm <alpha = 0.5> (s, w)", {"q": np.ones((3, 2), np.int8)}),
        ("y = Gemm <transA = 1, transB = 1> (s, w)", {"q": np.ones((3, 2), np.int8)}),
        ("y = Gemm (s, w)", {"q": np.ones((3, 2), np.int8)}),  # scales go with the inputs
        ("y = Relu (s)", {}),
    ],
)
def test_other_layers_are_left_alone(find, body, constants):
    assert find(body, **constants) is None


@pytest.mark.parametrize(("zero", "found"), [(0, True), (1, False)])
def test_zero_points(find, zero, found):
    head = "w = DequantizeLinear <axis = 0> (q, scale, zero)"
    layer = find("y = Conv (x, w)", head=head, zero=np.full(3, zero, np.int8))
    assert (layer is not None) == found


def test_float_weights_where_they_are_asked_for(find):
    weights = np.array([0.1, -0.2, 0.3], np.float32).reshape(3, 1, 1, 1)
    assert find("y = Conv (x, f)", f=weights) is None
    layer = find("y = Conv (x, f)", floats=True, f=weights)
    places = 256.0 ** np.arange(len(layer.weights))
    got = np.tensordot(places, layer.weights.astype(float), 1).reshape(3) * layer.scale
    np.testing.assert_allclose(got, weights.reshape(3), rtol=1e-6)


def unpacked(packed, layer):
    """[digits, outputs, taps, inputs] of the kernels' order."""
    digits, ranges, blocks = packed.weights.shape[:3]
    taps = layer.weights.shape[3] * layer.weights.shape[4]
    inputs = layer.weights.shape[2] * layer.groups
    full = np.zeros((digits, layer.outputs, taps, inputs), np.int8)
    rows = packed.weights.swapaxes(3, 4).reshape(digits, ranges, blocks * 16, -1)
    seen = packed.range_channels
    assert not rows[..., taps * seen :].any()
    for i, (begin, first, count) in enumerate(packed.ranges):
        assert not rows[:, i, count:].any()
        own = rows[:, i, :count, : taps * seen].reshape(digits, count, taps, seen)
        full[:, first : first + count, :, begin : begin + seen] = own
    return full


@settings(max_examples=60)
@given(data=st.data())
def test_every_weight_finds_its_place(data):
    groups = data.draw(st.integers(1, 20))
    inputs, outputs = (data.draw(st.sampled_from([1, 2, 7, 16, 33])) for _ in range(2))
    kernel = [data.draw(st.integers(1, 3)) for _ in range(2)]
    tiles, digits = data.draw(st.booleans()), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(groups)
    shape = (digits, groups * outputs, inputs, *kernel)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    values = np.arange(groups * outputs, dtype=np.float32)
    layer = IntegerLayer(helper.make_node("Conv", [], []), weights, values, values, 4, groups)
    packed = pack(layer, tiles)
    assert packed.weights.shape[3] * 4 % (64 if tiles else 4) == 0
    full = unpacked(packed, layer)
    for o in range(layer.outputs):
        begin = o // outputs * inputs
        own = weights[:, o].reshape(digits, inputs, -1).swapaxes(1, 2)
        np.testing.assert_array_equal(full[:, o, :, begin : begin + inputs], own)
        assert not full[:, o, :, :begin].any()
        assert not full[:, o, :, begin + inputs :].any()
    columns = packed.columns(values, filler=-1)
    for row, (_, first, count) in zip(columns, packed.ranges, strict=True):
        np.testing.assert_array_equal(row[:count], values[first : first + count])
        assert (row[count:] == -1).all()


def test_flattened_channels_last():
    rng = np.random.default_rng(3)
    weights = rng.integers(-9, 10, (1, 4, 6, 1, 1)).astype(np.int8)
    ones = np.ones(4, np.float32)
    layer = IntegerLayer(helper.make_node("Gemm", [], []), weights, ones, ones, 2)
    image = rng.integers(0, 2, (3, 2))  # channels, pixels
    first = weights.reshape(4, 6) @ image.reshape(-1)
    last = layer.reading_flat(3).weights.reshape(4, 6) @ image.T.reshape(-1)
    np.testing.assert_array_equal(last, first)
