"""Exact against float32 integers: every difference is a proven near-tie, or it is told."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx2snn.evaluation.near_ties import NearTie, compare_with_float32
from onnx2snn.frontend import canonicalise


def batches(images, size=5):
    return ({"x": images[i : i + size]} for i in range(0, len(images), size))


@pytest.fixture
def wide(new_net):
    """A sum of 512 products, quantized finely: float32 flips some integers."""
    net = new_net(seed=1, opset=21)

    def pair(x, scale, kind, name):
        parameters = net.const(scale), net.const(0, dtype=kind)
        integers = net.node("QuantizeLinear", x, *parameters, name=name)
        return net.node("DequantizeLinear", integers, *parameters)

    x = pair(net.input(shape=("N", 512)), 0.031, np.int8, "in")
    integers = net.const(net.rng.integers(-127, 128, (512, 64)), dtype=np.int8)
    weights = net.node("DequantizeLinear", integers, net.const(0.0123))
    first = pair(net.node("MatMul", x, weights), 0.004, np.int16, "first")
    square = net.const(net.rng.integers(-127, 128, (64, 64)), dtype=np.int8)
    again = net.node("DequantizeLinear", square, net.const(0.0123))
    return net.model(pair(net.node("MatMul", first, again), 0.1, np.int16, "second"))


@pytest.fixture
def samples():
    return np.random.default_rng(5).normal(size=(40, 512)).astype(np.float32)


def test_differences_are_near_ties(wide, samples):
    canonical = canonicalise(wide, keep_integers=True).to_model()
    result = compare_with_float32(wide, canonical, batches(samples))
    assert result.samples == 40
    assert result.compared == {"in": 40 * 512, "first": 40 * 64, "second": 40 * 64}
    assert result.differences
    assert result.holds
    assert result.unexplained == {"in": 0}
    for difference in result.differences:
        assert abs(difference.exact - difference.float32) == 1
        assert difference.distance <= difference.reach
    # The index counts over all batches.
    assert max(d.index[0] for d in result.differences) >= 5


def test_another_network(wide, samples):
    """One weight differs by one: that is no near-tie."""
    other = onnx.ModelProto()
    other.CopyFrom(wide)
    for tensor in other.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.shape == (64, 64):
            changed = values.copy()
            changed[0, 7] -= 1
            tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    canonical = canonicalise(other, keep_integers=True).to_model()
    result = compare_with_float32(wide, canonical, batches(samples))
    assert not result.holds
    wrong = [d for d in result.differences if not d.proven]
    assert {(d.quantizer, d.index[1]) for d in wrong} == {("second", 7)}


def test_proven():
    def tie(exact, float32, distance, reach):
        return NearTie("q", (0,), exact, float32, distance, reach).proven

    assert tie(3, 4, 1e-6, 1e-5)
    assert tie(4, 3, 0.0, 1e-5)
    assert not tie(3, 4, 1e-4, 1e-5)
    assert not tie(3, 5, 1e-6, 1e-5)
