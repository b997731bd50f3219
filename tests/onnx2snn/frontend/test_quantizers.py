"""Integers occur only between Q and DQ, and as quantized constants."""

import ml_dtypes
import numpy as np
import pytest

from onnx2snn.frontend import canonicalise


def constants(net, shape, axis=None, dtype=np.int8):
    """Quantized constants; along ``axis`` scales differ."""
    count = () if axis is None else (shape[axis],)
    inputs = [
        net.const(net.rng.integers(-8, 8, shape).astype(dtype), dtype=None),
        net.const(net.rng.uniform(0.5, 1.5, count)),
        net.const(net.rng.integers(-3, 4, count).astype(dtype), dtype=None),
    ]
    return net.node("DequantizeLinear", *inputs, **({} if axis is None else {"axis": axis}))


def only_constants_left(canonical):
    (reader,) = [n for n in canonical.graph.nodes if n.op == "DequantizeLinear"]
    assert all(not t.inputs for t in reader.inputs)
    return reader


MOVES = {
    "Transpose": (lambda n, w: n.node("Transpose", w, perm=[2, 1, 0]), 0, 2),
    "default Transpose": (lambda n, w: n.node("Transpose", w), 1, 1),
    "Reshape": (lambda n, w: n.node("Reshape", w, n.ints(6, 4, 10)), 0, 0),
    "Reshape of inner axes": (lambda n, w: n.node("Reshape", w, n.ints(6, 2, 2, 10)), 2, 3),
    "Unsqueeze": (lambda n, w: n.node("Unsqueeze", w, n.ints(0)), 1, 2),
    "Flatten": (lambda n, w: n.node("Flatten", w, axis=1), 0, 0),
    "Identity": (lambda n, w: n.node("Identity", w), 2, 2),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("uniform", [True, False])
def test_moves_of_quantized_constants(new_net, same_function, name, uniform):
    move, axis, moved = MOVES[name]
    net = new_net()
    w = move(net, constants(net, (6, 4, 10), None if uniform else axis))
    scaled = net.node("Mul", w, net.node("ReduceMax", net.input(), keepdims=0))
    model = net.model(scaled)
    same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32), tolerance=0)
    reader = only_constants_left(canonicalise(model, keep_integers=True))
    assert reader.inputs[0].dtype == np.int8
    assert uniform or reader.attrs["axis"] == moved


def test_a_move_that_tears_the_scales_apart_stays(new_net, same_function, ops_of):
    net = new_net()
    w = net.node("Reshape", constants(net, (6, 4), 1), net.ints(3, 8))
    y = net.node("Mul", w, net.node("ReduceMax", net.input(), keepdims=0))
    model = net.model(y)
    same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32), tolerance=0)
    assert "Reshape" in ops_of(canonicalise(model, keep_integers=True))


@pytest.mark.parametrize("clip", [False, True])
def test_weights_that_are_quantized_in_the_file(new_net, same_function, clip):
    """With a Clip of the integers in between, as torch and Brevitas write narrow ranges."""
    net = new_net()
    parameters = [net.const(0.01), net.const(np.int8(0), dtype=None)]
    w = net.node("QuantizeLinear", net.random(5, 2, 3, 3, scale=1.0), *parameters)
    if clip:
        bounds = [net.const(np.int8(v), dtype=None) for v in (-7, 7)]
        w = net.node("Clip", w, *bounds)
    w = net.node("DequantizeLinear", w, *parameters)
    model = net.model(net.node("Conv", net.input(), w))
    same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32), tolerance=0)
    weights = only_constants_left(canonicalise(model, keep_integers=True)).inputs[0]
    assert weights.dtype == np.int8
    assert np.abs(weights.values).max() == (7 if clip else 127)


@pytest.mark.parametrize("dtype", [np.int16, ml_dtypes.int4])
def test_kept_integers_of_other_sizes(new_net, run_stock, dtype):
    net = new_net(opset=21)
    model = net.model(net.node("Conv", net.input(), constants(net, (5, 2, 3, 3), 0, dtype)))
    canonical = canonicalise(model, keep_integers=True)
    held = np.int8 if dtype is ml_dtypes.int4 else dtype
    assert only_constants_left(canonical).inputs[0].dtype == held
    x = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(run_stock(canonical.to_model(), x)[0], run_stock(model, x)[0])


def test_readers_are_merged_by_their_parameters(new_net, same_function, ops_of):
    net = new_net()
    parameters = [net.const(0.25), net.const(np.uint8(3), dtype=None)]
    q = net.node("QuantizeLinear", net.input(), *parameters)
    several = [
        net.node("DequantizeLinear", q, net.const(s), parameters[1]) for s in (0.25, 0.5, 0.25, 0.5)
    ]
    y = net.node("Sum", *several)
    canonical = same_function(
        net.model(y), net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32), tolerance=0
    )
    assert ops_of(canonical).count("DequantizeLinear") == 2


def test_parameters_of_a_whole_tensor_are_numbers(new_net, same_function):
    """onnxruntime writes them as arrays of one element, too."""
    net = new_net()
    grid = [net.const([0.25]), net.const(np.array([3], np.uint8), dtype=None)]
    q = net.node("QuantizeLinear", net.input(), *grid)
    model = net.model(net.node("DequantizeLinear", q, *grid))
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    canonical = same_function(model, feeds, tolerance=0)
    parameters = [t for n in canonical.graph.nodes for t in n.inputs[1:]]
    assert [np.shape(t.values) for t in parameters] == [()] * 4


def test_axes_are_counted_from_the_front(new_net):
    net = new_net()
    model = net.model(net.node("Gemm", net.input(shape=("N", 6)), constants(net, (6, 5), -1)))
    assert only_constants_left(canonicalise(model, keep_integers=True)).attrs["axis"] == 1
