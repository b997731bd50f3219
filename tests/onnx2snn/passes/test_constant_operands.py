"""Products and sums with constants have one form."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise

X = np.random.default_rng(0).normal(size=(3, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (6,), (2, 1, 1), (1, 2, 6, 6)])
@pytest.mark.parametrize(
    ("op", "swapped", "becomes"),
    [
        ("Div", False, "Mul"),
        ("Sub", False, "Add"),
        ("Mul", True, "Mul"),
        ("Add", True, "Add"),
        ("Div", True, "Div"),
        ("Sub", True, "Sub"),
    ],
)
def test_constants(new_net, same_function, ops_of, op, swapped, becomes, shape):
    net = new_net()
    operands = [net.input(), net.const(net.rng.uniform(0.5, 2, shape))]
    y = net.node(op, *(reversed(operands) if swapped else operands))
    canonical = same_function(net.model(y), X, 1e-6)
    assert ops_of(canonical) == [becomes]
    if becomes in {"Mul", "Add"}:
        assert hasattr(canonical.graph.nodes[0].inputs[1], "values")


def test_negation(new_net, same_function, ops_of):
    net = new_net()
    assert ops_of(same_function(net.model(net.node("Neg", net.input())), X, 0)) == ["Mul"]


@pytest.mark.parametrize("value", [0.0, 1e-40])
def test_what_has_no_inverse_stays(new_net, same_function, ops_of, value):
    net = new_net()
    y = net.node("Div", net.relu(net.input()), net.const([value] + [1.0] * 5))
    model = net.model(net.node("Cast", net.node("IsInf", y), to=1))
    assert "Div" in ops_of(same_function(model, np.abs(X) + 1))


def test_integers_stay(new_net, ops_of):
    net = new_net()
    y = net.node("Div", net.input(dtype=7), net.ints(3))
    assert ops_of(canonicalise(net.model(y, dtype=7))) == ["Div"]
