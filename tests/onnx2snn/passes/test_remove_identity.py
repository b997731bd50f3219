"""Nodes that do nothing at inference go, and names of outputs stay."""

import numpy as np
import pytest
from onnx import TensorProto

from onnx2snn.frontend import canonicalise


def values(net):
    return net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("place", ["begin", "middle", "end"])
@pytest.mark.parametrize(
    ("op", "attributes"),
    [("Identity", {}), ("Dropout", {}), ("Cast", {"to": TensorProto.FLOAT})],
)
def test_gone(new_net, same_function, ops_of, op, attributes, place):
    net = new_net()
    x = net.input()
    x = net.node(op, x, **attributes) if place == "begin" else x
    x = net.conv(x, (3, 2, 3, 3))
    x = net.node(op, x, **attributes) if place == "middle" else x
    x = net.relu(x)
    x = net.node(op, x, **attributes) if place == "end" else x
    model = net.model(x)
    assert ops_of(same_function(model, values(net))) == ["Conv", "Relu"]


@pytest.mark.parametrize("opset", [7, 10, 12, 13])
def test_dropout_with_a_ratio(new_net, same_function, ops_of, opset):
    net = new_net(opset=opset)
    x = net.conv(net.input(), (3, 2, 3, 3))
    x = net.node("Dropout", x, ratio=0.4) if opset < 12 else net.node("Dropout", x, net.const(0.4))
    model = net.model(net.relu(x))
    assert ops_of(same_function(model, values(net))) == ["Conv", "Relu"]


def test_two_outputs_from_one_tensor_stay_two(new_net, same_function, ops_of):
    net = new_net()
    y = net.relu(net.input())
    model = net.model(y, net.node("Identity", y))
    assert ops_of(same_function(model, values(net))) == ["Relu", "Identity"]


def test_an_output_that_is_the_input_keeps_its_node(new_net, same_function, ops_of):
    net = new_net()
    x = net.input()
    model = net.model(net.node("Identity", x), net.relu(x))
    assert sorted(ops_of(same_function(model, values(net)))) == ["Identity", "Relu"]


def test_a_cast_that_changes_the_type_stays(new_net, same_function, ops_of):
    net = new_net()
    x = net.input(dtype=TensorProto.UINT8)
    model = net.model(net.relu(net.node("Cast", x, to=TensorProto.FLOAT)))
    feeds = np.arange(144, dtype=np.uint8).reshape(2, 2, 6, 6)
    assert ops_of(same_function(model, feeds)) == ["Cast", "Relu"]


def test_a_mask_that_is_an_output_keeps_the_dropout(new_net, ops_of):

    net = new_net()
    y = net.node("Dropout", net.relu(net.input()), outputs=2, name="drop")
    model = net.model(y, "drop_out1", check=False, shape=["N", 2, 6, 6])
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.BOOL
    assert ops_of(canonicalise(model)) == ["Relu", "Dropout"]


@pytest.mark.parametrize("training", [False, True])
def test_dropout_goes_only_if_it_drops_nothing(new_net, ops_of, training):
    net = new_net()
    mode = net.const(np.array(training), dtype=None)
    y = net.node("Dropout", net.relu(net.input()), net.const(0.4), mode)
    assert ("Dropout" in ops_of(canonicalise(net.model(y)))) is training


def test_dropout_whose_mode_is_computed_stays(new_net, ops_of):
    net = new_net()
    x = net.relu(net.input())
    y = net.node("Dropout", x, net.const(0.4), net.input("mode", (), TensorProto.BOOL))
    assert "Dropout" in ops_of(canonicalise(net.model(y)))
