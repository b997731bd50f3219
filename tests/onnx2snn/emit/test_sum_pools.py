"""Average pools as synapses count spikes, and the division is in the weights behind."""

import numpy as np
import pytest

SIZE = (3, 6, 6)


def images(net, n=3):
    return net.rng.normal(size=(n, *SIZE)).astype(np.float32)


def pooled(net, build):
    x = net.relu(net.conv(net.input(shape=("N", *SIZE)), (3, 3, 3, 3), pads=[1] * 4), name="a")
    x = build(net, x)
    shape = net.model(x).graph.output[0].type.tensor_type.shape.dim
    x = net.conv(x, (4, shape[1].dim_value, 1, 1), bias=True, name="behind")
    return net.model(net.relu(x, name="b"))


def pool(**attributes):
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} | attributes
    return lambda net, x: net.node("AveragePool", x, name="pool", **attributes)


COUNTING = {
    "plain": pool(),
    "overlapping": pool(strides=[1, 1], kernel_shape=[3, 2]),
    "padding counted": pool(pads=[1, 1, 0, 0], count_include_pad=1),
    "global": lambda net, x: net.node("GlobalAveragePool", x, name="pool"),
    "of joined populations": lambda net, x: pool()(
        net, net.node("Concat", x, net.relu(net.conv(x, (2, 3, 1, 1))), axis=1)
    ),
}
STAYING = {
    "padding not counted": pool(pads=[1, 1, 0, 0]),
    "of values": lambda net, x: pool()(net, net.node("Add", x, x)),
    "of counts": lambda net, x: net.node("AveragePool", pool()(net, x), kernel_shape=[2, 2]),
}


@pytest.mark.parametrize("granularity", ["channel", "layer"])
@pytest.mark.parametrize("case", COUNTING)
def test_the_layer_behind_receives_counts(
    new_net, run_stock, by_maximum, tensors, error_at, case, granularity
):
    net = new_net()
    model = pooled(net, COUNTING[case])
    x = images(net)
    result = by_maximum(model, x, avgpool="linear", granularity=granularity)
    nodes = {n.name: n for n in result.model.graph.node}
    assert nodes["pool"].op_type == "Conv"
    assert [n.name for n in nodes.values() if n.op_type == "Mul"] == ["b.scale.decode.scale"]
    (counts,) = tensors(result.model, x, [nodes["behind"].input[0]]).values()
    np.testing.assert_array_equal(counts, np.round(counts))
    assert counts.max() > 1
    assert error_at(result.model, run_stock(model, x), x, 512) < 0.02


@pytest.mark.parametrize("case", STAYING)
def test_the_others_stay(new_net, run_stock, by_maximum, error_at, case):
    net = new_net()
    model = pooled(net, STAYING[case])
    x = images(net)
    result = by_maximum(model, x, avgpool="linear")
    assert "AveragePool" in {n.op_type for n in result.model.graph.node}
    assert error_at(result.model, run_stock(model, x), x, 512) < 0.02


def test_behind_the_readout_they_stay(new_net, by_maximum):
    net = new_net()
    x = net.relu(net.input(shape=("N", *SIZE)))
    model = net.model(net.conv(pool()(net, x), (2, 3, 1, 1)))
    result = by_maximum(model, images(net), avgpool="linear")
    assert "AveragePool" in {n.op_type for n in result.model.graph.node}
