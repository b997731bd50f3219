"""Maximum and minimum with a number become activations."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise

X = np.random.default_rng(0).normal(size=(3, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("op", "value", "becomes"),
    [
        ("Max", 0.0, "Relu"),
        ("Max", [0.0], "Relu"),
        ("Max", -0.3, "Clip"),
        ("Min", 0.0, "Clip"),
        ("Min", [[0.4]], "Clip"),
    ],
)
def test_with_a_number(new_net, same_function, ops_of, op, value, becomes, swapped):
    net = new_net()
    operands = [net.input(), net.const(value)]
    y = net.node(op, *(reversed(operands) if swapped else operands))
    assert ops_of(same_function(net.model(y), X, 0)) == [becomes]


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_of_one_tensor(new_net, same_function, ops_of, op):
    net = new_net()
    y = net.node("Abs", net.node(op, net.input()))
    assert ops_of(same_function(net.model(y), X, 0)) == ["Abs"]


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("case", ["two tensors", "map", "three", "more axes"])
def test_others_stay(new_net, same_function, ops_of, op, case):
    net = new_net()
    x = net.input()
    others = {
        "two tensors": lambda: [net.node("Abs", x)],
        "map": lambda: [net.random(2, 1, 1)],
        "three": lambda: [net.const(0.1), net.const(0.2)],
        "more axes": lambda: [net.const(np.zeros((1, 1, 1, 1, 1)))],
    }[case]()
    assert op in ops_of(same_function(net.model(net.node(op, x, *others)), X, 0))


def test_integers_stay(new_net, ops_of):
    net = new_net()
    y = net.node("Max", net.input(dtype=7), net.ints(0))
    assert ops_of(canonicalise(net.model(y, dtype=7))) == ["Max"]
