"""The source network's inputs and its batch."""

import pytest

from onnx2snn.errors import ModelFileError
from onnx2snn.evaluation.source_network import fixed_batch


def network(new_net, batch):
    net = new_net()
    return net.model(net.relu(net.input("x", (batch, 2, 4, 4))))


@pytest.mark.parametrize(("declared", "want"), [("N", None), (None, None), (1, 1), (6, 6)])
def test_batch(new_net, declared, want):
    assert fixed_batch(network(new_net, declared), ["x"]) == want


def test_initializers_are_no_inputs(new_net):
    net = new_net()
    model = net.model(net.conv(net.input("x", ("N", 2, 4, 4)), (3, 2, 3, 3)))
    weights = model.graph.initializer[0]
    declared = model.graph.input.add(name=weights.name)
    declared.type.tensor_type.elem_type = weights.data_type
    assert fixed_batch(model, ["x"]) is None


@pytest.mark.parametrize("names", [["y"], ["x", "y"], []])
def test_other_inputs(new_net, names):
    with pytest.raises(ModelFileError, match="takes x, the spiking network takes"):
        fixed_batch(network(new_net, "N"), names)
