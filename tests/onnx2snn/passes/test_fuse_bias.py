"""A constant added behind a layer becomes its bias."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=40)
@given(
    op=st.sampled_from(["Conv", "ConvTranspose"]),
    rank=st.sampled_from([1, 2]),
    group=st.sampled_from([1, 2]),
    uniform=st.booleans(),
    lead=st.booleans(),
    bias=st.booleans(),
    swapped=st.booleans(),
)
def test_one_value_for_each_filter(
    new_net, same_function, ops_of, op, rank, group, uniform, lead, bias, swapped
):
    net = new_net()
    x = net.input(shape=("N", 4, *range(5, 5 + rank)))
    shape = (6, 4 // group) if op == "Conv" else (4, 6 // group)
    y = net.conv(x, (*shape, *[3] * rank), bias=bias, op=op, group=group)
    added = (1 if uniform else 6, *[1] * rank)
    value = net.const(net.rng.normal(size=(1, *added) if lead else added))
    model = net.model(net.node("Add", *((value, y) if swapped else (y, value))))
    values = net.rng.normal(size=(2, 4, *range(5, 5 + rank))).astype(np.float32)
    assert ops_of(same_function(model, values)) == [op]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (5,), (1, 5)])
@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_behind_a_matrix(new_net, same_function, ops_of, op, shape):
    net = new_net()
    y = net.node(op, net.input(shape=("N", 4)), net.random(4, 5))
    model = net.model(net.node("Add", y, net.const(net.rng.normal(size=shape))))
    values = net.rng.normal(size=(3, 4)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Gemm"]


@pytest.mark.parametrize("shape", [(4,), (4, 4), (3, 4, 4), (1, 4, 1), (1, 3, 1, 4)])
def test_values_that_differ_by_place_stay_a_sum(new_net, same_function, ops_of, shape):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 3, 3))
    model = net.model(net.node("Add", y, net.const(net.rng.normal(size=shape))))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Conv", "Add"]


def test_a_sum_that_widens_one_filter_stays(new_net, same_function, ops_of):
    net = new_net()
    y = net.conv(net.input(), (1, 2, 3, 3))
    model = net.model(net.node("Add", y, net.const(net.rng.normal(size=(3, 1, 1)))))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Conv", "Add"]


def test_a_layer_with_another_reader_keeps_its_bias(new_net, same_function, ops_of):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 3, 3))
    total = net.node("Add", y, net.const(net.rng.normal(size=(3, 1, 1))))
    model = net.model(net.node("Add", y, net.relu(total)))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Conv", "Add", "Relu", "Add"]
