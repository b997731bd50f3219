"""Sum and Mean become sums of two."""

import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(3, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("op", ["Sum", "Mean"])
def test_of_several(new_net, same_function, ops_of, op, count):
    net = new_net()
    x = net.input()
    operands = [x, net.const(0.5), net.random(2, 1, 1), net.node("Abs", x), x][:count]
    y = net.node("Neg", net.node(op, *operands))
    ops = ops_of(same_function(net.model(y), X, 1e-6))
    assert op not in ops
    assert ops.count("Add") == count - 1


@pytest.mark.parametrize("op", ["Sum", "Mean"])
def test_broadcast_operands_and_names_of_outputs(new_net, same_function, op):
    net = new_net()
    y = net.node(op, net.random(1, 2, 1, 1), net.input(shape=("N", 1, 6, 6)), name="all")
    same_function(net.model(y), X[:, :1], 1e-6)
