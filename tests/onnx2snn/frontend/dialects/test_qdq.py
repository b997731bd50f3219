"""QDQ networks in canonical form compute exactly what the source file says."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise

PAIR = ["QuantizeLinear", "DequantizeLinear"]
RANGES = {
    np.int8: (-128, 127),
    np.uint8: (0, 255),
    np.int16: (-32768, 32767),
    ml_dtypes.int4: (-8, 7),
    ml_dtypes.uint4: (0, 15),
}


def quantized(net, x, scale=0.05, zero=0, dtype=np.uint8, pairs=1):
    """QuantizeLinear and one or several DequantizeLinear behind it."""
    parameters = [net.const(scale), net.const(np.array(zero, dtype), dtype=None)]
    q = net.node("QuantizeLinear", x, *parameters)
    outs = [net.node("DequantizeLinear", q, *parameters) for _ in range(pairs)]
    return outs[0] if pairs == 1 else outs


def weights(net, shape, dtype, axis=None, with_zero=True, **attributes):
    """Integer weights behind a DequantizeLinear, over the whole range of their type."""
    low, high = RANGES[dtype]
    values = net.rng.integers(low, high + 1, shape).astype(dtype)
    count = () if axis is None else (shape[axis],)
    scale = net.const(net.rng.uniform(0.5, 1.5, count) / (high - low))
    zero = net.rng.integers(low // 2, high // 2 + 1, count).astype(dtype)
    inputs = [net.const(values, dtype=None), scale]
    if with_zero:
        inputs.append(net.const(zero, dtype=None))
    if axis is not None:
        attributes["axis"] = axis
    return net.node("DequantizeLinear", *inputs, **attributes)


def bias(net, size, per_channel):
    """An int32 bias behind a DequantizeLinear without zero point."""
    values = net.const(net.rng.integers(-99, 100, size), dtype=np.int32)
    scale = net.const(net.rng.uniform(0.001, 0.01, (size,) if per_channel else ()))
    attributes = {"axis": 0} if per_channel else {}
    return net.node("DequantizeLinear", values, scale, **attributes)


def exact(model, run_stock, same_function, feeds):
    """Bit for bit, on more than one value."""
    canonical = same_function(model, feeds, tolerance=0)
    assert len(np.unique(run_stock(model, feeds)[0])) > 10
    return canonical


@settings(max_examples=40)
@given(
    dtype=st.sampled_from([np.int8, np.uint8]),
    axis=st.sampled_from([None, 0]),
    with_zero=st.booleans(),
    opset=st.sampled_from([13, 17, 19, 21, 23]),
    activation=st.sampled_from([(0, np.uint8), (103, np.uint8), (-128, np.int8), (0, np.int8)]),
    relu=st.booleans(),
    group=st.sampled_from([1, 2]),
)
def test_convolutions(
    new_net,
    run_stock,
    same_function,
    ops_of,
    dtype,
    axis,
    with_zero,
    opset,
    activation,
    relu,
    group,
):
    net = new_net(opset=opset)
    with_zero = with_zero or dtype is np.uint8
    zero, integer = activation
    x = quantized(net, net.input(shape=("N", 4, 6, 5)), 0.03, 120)
    w = weights(net, (6, 4 // group, 3, 3), dtype, axis, with_zero)
    y = net.node("Conv", x, w, bias(net, 6, axis is not None), group=group, pads=[1] * 4)
    y = net.relu(y) if relu else y
    y = quantized(net, y, 0.02, zero, integer)
    feeds = net.rng.normal(size=(2, 4, 6, 5)).astype(np.float32)
    canonical = exact(net.model(y), run_stock, same_function, feeds)
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert ops_of(canonical) == [*pair, "Conv", *["Relu"] * relu, *pair]


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_fully_connected(new_net, run_stock, same_function, axis, trans_b):
    net = new_net(opset=17)
    x = quantized(net, net.input(shape=("N", 8)), 0.03, 120)
    w = weights(net, (5, 8) if trans_b else (8, 5), np.int8, axis)
    y = net.node("Gemm", x, w, bias(net, 5, True), transB=trans_b)
    feeds = net.rng.normal(size=(8, 8)).astype(np.float32)
    exact(net.model(quantized(net, y, 0.02, 128)), run_stock, same_function, feeds)


@pytest.mark.parametrize("dtype", [np.int16, ml_dtypes.int4, ml_dtypes.uint4])
@pytest.mark.parametrize("axis", [None, 0])
def test_integers_of_opset_21(new_net, run_stock, same_function, ops_of, dtype, axis):
    net = new_net(opset=21)
    x = quantized(net, net.input(), 0.0001, 0, np.int16)
    y = net.node("Conv", x, weights(net, (5, 2, 3, 3), dtype, axis))
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    canonical = exact(net.model(y), run_stock, same_function, feeds)
    assert ops_of(canonical)[-1] == "Conv"
    assert canonical.graph.nodes[-1].inputs[1].dtype == np.float32


def test_blocks_of_opset_21(new_net, run_stock, same_function, ops_of):
    net = new_net(opset=21)
    values = net.const(net.rng.integers(-8, 8, (8, 5)).astype(ml_dtypes.int4), dtype=None)
    scale = net.const(net.rng.uniform(0.05, 0.1, (4, 5)))
    w = net.node("DequantizeLinear", values, scale, axis=0, block_size=2)
    y = net.node("Gemm", net.input(shape=("N", 8)), w)
    feeds = net.rng.normal(size=(8, 8)).astype(np.float32)
    assert ops_of(exact(net.model(y), run_stock, same_function, feeds)) == ["Gemm"]


@pytest.mark.parametrize("axis", [None, 0])
def test_weights_that_are_quantized_in_the_file(new_net, run_stock, same_function, ops_of, axis):
    net = new_net(opset=17)
    count = () if axis is None else (5,)
    parameters = [
        net.const(net.rng.uniform(0.005, 0.02, count)),
        net.const(net.rng.integers(-3, 4, count), dtype=np.int8),
    ]
    attributes = {} if axis is None else {"axis": axis}
    w = net.node("QuantizeLinear", net.random(5, 2, 3, 3), *parameters, **attributes)
    w = net.node("DequantizeLinear", w, *parameters, **attributes)
    y = net.node("Conv", net.input(), w)
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    canonical = exact(net.model(y), run_stock, same_function, feeds)
    assert ops_of(canonical) == ["Conv"]
    assert len(np.unique(canonical.graph.nodes[0].inputs[1].values)) < 90  # on the grid


def test_readers_of_one_quantizer_share_a_dequantizer(new_net, run_stock, same_function, ops_of):
    net = new_net(opset=17)
    left, right = quantized(net, net.relu(net.input()), 0.02, pairs=2)
    y = net.node("Add", net.conv(left, (3, 2, 3, 3)), net.conv(right, (3, 2, 3, 3)))
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    ops = ops_of(exact(net.model(y), run_stock, same_function, feeds))
    assert ops.count("DequantizeLinear") == 1


def test_a_dequantizer_that_is_an_output_stays(new_net, run_stock, same_function, ops_of):
    net = new_net(opset=17)
    left, right = quantized(net, net.relu(net.input()), 0.02, pairs=2)
    model = net.model(net.conv(left, (3, 2, 3, 3)), right)
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(exact(model, run_stock, same_function, feeds)).count("DequantizeLinear") == 2


def test_integer_input_of_the_network(new_net, run_stock, same_function, ops_of):
    net = new_net(opset=17)
    x = net.input(dtype=onnx.TensorProto.UINT8)
    x = net.node("DequantizeLinear", x, net.const(0.03), net.const(np.uint8(7), dtype=None))
    y = quantized(net, net.conv(x, (3, 2, 3, 3)), 0.02)
    feeds = net.rng.integers(0, 256, (2, 2, 6, 6)).astype(np.uint8)
    ops = ops_of(exact(net.model(y), run_stock, same_function, feeds))
    assert ops == ["DequantizeLinear", "Conv", "QuantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, ml_dtypes.uint4])
@pytest.mark.parametrize("keep", [True, False])
def test_quantizers_of_onnxruntimes_domain(new_net, run_stock, ops_of, dtype, keep):
    """Below opset 21 onnxruntime has these sizes in a domain of its own."""
    net = new_net(opset=17)
    net.domains = ["com.microsoft"]
    own = {"domain": "com.microsoft"}
    parameters = [net.const(0.25), net.const(np.array(3, dtype), dtype=None)]
    x = net.node("QuantizeLinear", net.input(), *parameters, **own)
    x = net.node("DequantizeLinear", x, *parameters, **own)
    w = net.const(net.rng.integers(0, 8, (3, 2, 3, 3)).astype(dtype), dtype=None)
    w = net.node("DequantizeLinear", w, *parameters, **own)
    model = net.model(net.node("Conv", x, w), shape=["N", 3, 4, 4])
    canonical = canonicalise(model, keep_integers=keep)
    clip = ["Clip"] if dtype is ml_dtypes.uint4 else []
    wanted = [*clip, *PAIR, *["DequantizeLinear"] * keep, "Conv"]
    assert sorted(ops_of(canonical)) == sorted(wanted)
    assert canonical.graph.opset == (18 if clip else 21)
    assert canonical.source.dialects == ("QDQ",)
    x = net.rng.normal(0, 2, size=(2, 2, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(run_stock(canonical.to_model(), x)[0], run_stock(model, x)[0])


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, ml_dtypes.uint4])
@pytest.mark.parametrize("axis", [None, 1, -3])
def test_activations_of_four_bits(new_net, run_stock, ops_of, dtype, axis):
    """Eight bits hold them, behind a cut to their range."""
    net = new_net(opset=21)
    count, attrs = ((), {}) if axis is None else ((2,), {"axis": axis})
    scale = net.const(0.25 * 2.0 ** np.arange(2) if count else 0.25)
    grid = [scale, net.const(np.full(count, 3).astype(dtype), dtype=None)]
    q = net.node("QuantizeLinear", net.input(), *grid, **attrs)
    q = net.node("Transpose", q, perm=[0, 1, 3, 2]) if axis is None else q
    model = net.model(net.node("DequantizeLinear", q, *grid, **attrs))
    x = net.rng.normal(0, 4, size=(2, 2, 6, 6)).astype(np.float32)
    canonical = canonicalise(model)
    np.testing.assert_array_equal(run_stock(canonical.to_model(), x)[0], run_stock(model, x)[0])
    cut = ["Clip", *PAIR, "Transpose"] if axis is None else ["Max", "Min", *PAIR]
    assert ops_of(canonical) == cut


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.INT16, TensorProto.UINT4, None])
def test_the_type_of_integers_in_an_attribute(new_net, run_stock, kind):
    net = new_net(opset=21)
    attrs = {} if kind is None else {"output_dtype": kind}
    q = net.node("QuantizeLinear", net.relu(net.input()), net.const(0.1), **attrs)
    model = net.model(net.node("DequantizeLinear", q, net.const(0.1)))
    x = net.rng.normal(0, 4, size=(2, 2, 6, 6)).astype(np.float32)
    canonical = canonicalise(model)
    np.testing.assert_array_equal(run_stock(canonical.to_model(), x)[0], run_stock(model, x)[0])
    quantizer = next(n for n in canonical.graph.nodes if n.op == "QuantizeLinear")
    held = {TensorProto.INT8: np.int8, TensorProto.INT16: np.int16}.get(kind, np.uint8)
    assert quantizer.inputs[2].dtype == held


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, ml_dtypes.int4])
def test_quantizers_that_cannot_be(new_net, dtype):
    net = new_net(opset=21)
    x = net.input()
    zero = net.const(np.zeros((), dtype), dtype=None)
    grid = [net.node("ReduceMax", net.relu(x), keepdims=0), zero]
    if dtype is not ml_dtypes.int4:
        grid[0] = net.const(0.5)
    q = net.node("QuantizeLinear", x, *grid, name="quantizer")
    model = net.model(net.node("DequantizeLinear", q, *grid))
    with pytest.raises(UnsupportedModelError, match=r"'quantizer' \(Quant.*quantize to 8 bits"):
        canonicalise(model)


NETWORKS = ["onnx2snn/demo_data/digits_cnn_int8.onnx", "models/digits_cnn_int8_asymmetric.onnx"]


@pytest.mark.parametrize("path", NETWORKS)
def test_our_own_networks(pytestconfig, same_function, ops_of, path):
    root = pytestconfig.rootpath
    with np.load(root / "onnx2snn/demo_data/digits_heldout.npz") as data:
        images = data["images"][:64] / np.float32(16)
    canonical = same_function(onnx.load(root / path), images, tolerance=0)
    constants = [n for n in canonical.graph.nodes if n.op == "Conv"]
    assert all(n.inputs[1].dtype == np.float32 for n in constants)
    assert canonical.source.dialects == ("QDQ",)
