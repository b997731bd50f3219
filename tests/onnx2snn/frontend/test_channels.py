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
