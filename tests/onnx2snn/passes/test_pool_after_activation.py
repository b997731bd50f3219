"""Max pools go behind the activation that follows them, where that helps."""

import numpy as np
import pytest

ACTIVATIONS = {
    "Relu": lambda net, x: net.relu(x, name="act"),
    "Clip": lambda net, x: net.node("Clip", x, net.const(-0.5), net.const(1.5), name="act"),
}


def values(net):
    return net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)


def pooled(net, x, outputs=1):
    return net.node(
        "MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, name="max", outputs=outputs
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_behind_another_activation_they_swap(
    new_net, same_function, ops_of, activation, at_the_end
):
    net = new_net()
    x = net.conv(net.relu(net.input()), (3, 2, 3, 3))
    y = ACTIVATIONS[activation](net, pooled(net, x))
    y = y if at_the_end else net.conv(y, (2, 3, 1, 1))
    canonical = same_function(net.model(y), values(net), tolerance=1e-6)
    assert ops_of(canonical)[:4] == ["Relu", "Conv", activation, "MaxPool"]
    names = {n.op: n.name for n in canonical.graph.nodes}
    assert (names["MaxPool"], names[activation]) == ("max", "act") or activation == "Relu"


def test_several_pools_in_a_row(new_net, same_function, ops_of):
    net = new_net()
    y = pooled(net, net.conv(net.relu(net.input()), (3, 2, 3, 3)))
    y = net.relu(net.node("MaxPool", y, kernel_shape=[2, 2], name="max2"), name="act")
    canonical = same_function(net.model(y), values(net), tolerance=1e-6)
    assert ops_of(canonical) == ["Relu", "Conv", "Relu", "MaxPool", "MaxPool"]


def test_in_front_of_the_first_activation_they_stay(new_net, same_function, ops_of):
    net = new_net()
    y = net.relu(pooled(net, net.conv(net.input(), (3, 2, 3, 3))))
    canonical = same_function(net.model(y), values(net), tolerance=1e-6)
    assert ops_of(canonical) == ["Conv", "MaxPool", "Relu"]


@pytest.mark.parametrize("reader", ["node", "output", "indices"])
def test_a_pool_that_others_read_stays(new_net, same_function, ops_of, reader):
    net = new_net()
    x = net.conv(net.relu(net.input()), (3, 2, 3, 3))
    pool = pooled(net, x, outputs=2 if reader == "indices" else 1)
    outputs = [net.conv(net.relu(pool), (2, 3, 1, 1))]
    if reader == "node":
        outputs.append(net.conv(pool, (2, 3, 1, 1)))
    elif reader == "output":
        outputs.append(pool)
    canonical = same_function(net.model(*outputs), values(net), tolerance=1e-6)
    ops = ops_of(canonical)
    assert ops.index("MaxPool") < len(ops) - 1 - ops[::-1].index("Relu")
