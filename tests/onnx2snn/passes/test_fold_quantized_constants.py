"""Quantized weights become the float weights that they stand for."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise


def weights(net, axis=None, **attributes):
    """[8, 5] int8 weights behind a DequantizeLinear, and what they stand for."""
    values = net.rng.integers(-128, 128, (8, 5)).astype(np.int8)
    count = () if axis is None else (values.shape[axis],)
    scale = net.rng.uniform(0.01, 0.02, count).astype(np.float32)
    zero = net.rng.integers(-9, 9, count).astype(np.int8)
    inputs = [net.const(values, dtype=None), net.const(scale), net.const(zero, dtype=None)]
    if axis is not None:
        attributes["axis"] = axis
        scale, zero = np.expand_dims(scale, 1 - axis), np.expand_dims(zero, 1 - axis)
    real = (values.astype(np.int32) - zero).astype(np.float32) * scale
    return net.node("DequantizeLinear", *inputs, **attributes), real


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_values(new_net, ops_of, axis):
    net = new_net()
    w, real = weights(net, axis)
    canonical = canonicalise(net.model(net.node("Gemm", net.input(shape=("N", 8)), w)))
    assert ops_of(canonical) == ["Gemm"]
    np.testing.assert_array_equal(canonical.graph.nodes[0].inputs[1].values, real)


def test_what_follows_is_computed_too(new_net, ops_of):
    """Weights that are scaled behind their DequantizeLinear."""
    net = new_net()
    w, real = weights(net)
    w = net.node("Mul", w, net.const(2.0))
    canonical = canonicalise(net.model(net.node("Gemm", net.input(shape=("N", 8)), w)))
    assert ops_of(canonical) == ["Gemm"]
    np.testing.assert_array_equal(canonical.graph.nodes[0].inputs[1].values, 2 * real)


def test_activations_and_kept_integers_stay(new_net, ops_of):
    net = new_net()
    grid = [net.const(0.25), net.const(np.uint8(3), dtype=None)]
    q = net.node("QuantizeLinear", net.input(shape=("N", 8)), *grid)
    x = net.node("DequantizeLinear", q, *grid)
    model = net.model(net.node("Gemm", x, weights(net)[0]))
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert ops_of(canonicalise(model)) == [*pair, "Gemm"]
    assert sorted(ops_of(canonicalise(model, keep_integers=True))) == sorted(
        [*pair, "DequantizeLinear", "Gemm"]
    )
