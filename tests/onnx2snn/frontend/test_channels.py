"""Groups and channels of convolutions that contradict each other are refused."""

import pytest

from onnx2snn.errors import ModelFileError
from onnx2snn.frontend import canonicalise


@pytest.mark.parametrize("group", [0, 3, 2**31 - 1])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_groups_that_do_not_fit(new_net, op, group):
    net = new_net()
    shape = (4, 2, 3, 3) if op == "Conv" else (2, 4, 3, 3)
    y = net.relu(net.conv(net.input(), shape, op=op, group=1, name="odd"))
    model = net.model(y)
    [attribute] = [a for a in model.graph.node[0].attribute if a.name == "group"]
    attribute.i = group
    # Of ConvTranspose newer versions of onnx say it themselves.
    said = rf"'odd'.* in {group} groups.*; " if op == "Conv" else "odd.*group"
    with pytest.raises(ModelFileError, match=said):
        canonicalise(model)


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_groups_that_fit(new_net, same_function, op):
    net = new_net()
    shape = (4, 1, 3, 3) if op == "Conv" else (2, 2, 3, 3)
    y = net.relu(net.conv(net.input(), shape, op=op, group=2))
    same_function(net.model(y), net.rng.normal(size=(2, 2, 6, 6)).astype("float32"))


def test_weights_of_too_few_axes(new_net):
    net = new_net()
    model = net.model(net.relu(net.conv(net.input(), (4, 2, 3, 3), name="odd")))
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.append(72)
    with pytest.raises(ModelFileError, match="odd"):
        canonicalise(model)


@pytest.mark.parametrize("length", [1, 8])
def test_another_bias(new_net, length):
    net = new_net()
    x, w, b = net.input(), net.random(4, 2, 3, 3), net.const([0.5] * length)
    model = net.model(net.relu(net.node("Conv", x, w, b, name="odd")))
    with pytest.raises(ModelFileError, match=r"'odd'.*bias of shape \[\d\].* 4 channels.*; "):
        canonicalise(model)
