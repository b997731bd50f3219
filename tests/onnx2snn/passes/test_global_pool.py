"""Means over all places become pools."""

import numpy as np
import pytest
from onnx import TensorProto, helper


def spatial_mean(net, x, axes, keepdims):
    """ReduceMean with the axes where the opset wants them."""
    if net.opset < 18:
        return net.node("ReduceMean", x, axes=axes, keepdims=keepdims)
    return net.node("ReduceMean", x, net.ints(*axes), keepdims=keepdims)


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 20])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("tail", "axes"), [((5,), [2]), ((5, 4), [2, 3]), ((5, 4), [-1, -2]), ((3, 4, 2), [2, 3, 4])]
)
def test_reduce_mean(new_net, same_function, ops_of, opset, keepdims, tail, axes):
    net = new_net(opset=opset)
    model = net.model(spatial_mean(net, net.input(shape=("N", 3, *tail)), axes, keepdims))
    values = net.rng.normal(size=(2, 3, *tail)).astype(np.float32)
    canonical = same_function(model, values)
    assert ops_of(canonical) == ["AveragePool"] + ["Flatten"] * (1 - keepdims)
    assert canonical.graph.nodes[0].attrs["kernel_shape"] == list(tail)


@pytest.mark.parametrize("axes", [[1], [3], [1, 2, 3], [0, 2, 3]])
def test_other_means_stay(new_net, same_function, ops_of, axes):
    net = new_net()
    model = net.model(spatial_mean(net, net.input(), axes, 1))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["ReduceMean"]


@pytest.mark.parametrize("shape", [("N", 3, 5), ("N", 3, 4, 6), (1, 3, 2, 3, 4)])
def test_global_pool_of_known_size(new_net, same_function, ops_of, shape):
    net = new_net()
    model = net.model(net.node("GlobalAveragePool", net.input(shape=shape)))
    canonical = same_function(model, net.rng.normal(size=(2, *shape[1:])).astype(np.float32))
    assert ops_of(canonical) == ["AveragePool"]


@pytest.mark.parametrize("keepdims", [0, 1])
def test_of_unknown_size_it_stays_global(new_net, same_function, ops_of, keepdims):
    net = new_net()
    x = net.input(shape=("N", 3, "H", "W"))
    model = net.model(spatial_mean(net, x, [2, 3], keepdims))
    canonical = same_function(model, net.rng.normal(size=(2, 3, 4, 6)).astype(np.float32))
    assert ops_of(canonical) == ["GlobalAveragePool"] + ["Flatten"] * (1 - keepdims)


def test_the_mean_of_everything_stays(new_net, same_function, ops_of):
    net = new_net()
    model = net.model(net.node("ReduceMean", net.input(shape=(1, 2, 3, 3)), keepdims=1))
    values = net.rng.normal(size=(1, 2, 3, 3)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["ReduceMean"]
    assert helper.get_node_attr_value(model.graph.node[0], "keepdims") == 1


@pytest.mark.parametrize("keepdims", [0, 1])
def test_maxima(new_net, same_function, ops_of, keepdims):
    net = new_net()
    x = net.input()
    y = net.node("ReduceMax", x, net.ints(2, 3), keepdims=keepdims)
    model = net.model(y, net.node("GlobalMaxPool", x))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    ops = ops_of(same_function(model, values))
    assert sorted(ops) == ["Flatten"] * (1 - keepdims) + ["MaxPool", "MaxPool"]


def test_a_maximum_of_integers_stays(new_net, same_function, ops_of):
    net = new_net()
    y = net.node("ReduceMax", net.input(dtype=TensorProto.INT64), net.ints(2, 3))
    values = net.rng.integers(-9, 9, (2, 2, 6, 6))
    assert ops_of(same_function(net.model(y, dtype=TensorProto.INT64), values)) == ["ReduceMax"]
