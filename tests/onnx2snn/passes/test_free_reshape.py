"""Reshapes hold for any batch afterwards."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise

SHAPE = (4, 3, 2)


def image(net, batch):
    """A tensor behind a layer, so that no reshape is at the graph's edge."""
    return net.conv(net.input(shape=(batch, 2, 3, 2)), (4, 2, 1, 1))


def values(net, n=3):
    return net.rng.normal(size=(n, 2, 3, 2)).astype(np.float32)


ROWS = [[-1, 24], [0, -1], [0, 24]]


@pytest.mark.parametrize(
    ("batch", "wanted"),
    [(b, w) for b in (1, "N") for w in ROWS] + [(1, w) for w in ([1, -1], [1, 24])],
)
def test_to_rows(new_net, same_function, ops_of, batch, wanted):
    net = new_net()
    y = net.node("Reshape", image(net, batch), net.ints(*wanted))
    model = net.model(net.gemm(y, (24, 5)))
    assert ops_of(same_function(model, values(net))) == ["Conv", "Flatten", "Gemm"]


@pytest.mark.parametrize("batch", [1, "N"])
@pytest.mark.parametrize("wanted", [[-1, 2, 2, 3, 2], [0, 2, 2, 3, 2], [0, 0, 6], [0, -1, 6]])
def test_to_other_axes(new_net, same_function, batch, wanted):
    net = new_net()
    model = net.model(net.node("Reshape", image(net, batch), net.ints(*wanted)))
    canonical = same_function(model, values(net))
    assert canonical.graph.nodes[-1].inputs[1].values[0] == 0


@pytest.mark.parametrize("batch", [1, "N"])
@pytest.mark.parametrize("last", [-1, 24])
def test_computed_by_shape_gather_concat(new_net, same_function, ops_of, batch, last):
    net = new_net(opset=11)
    y = image(net, batch)
    size = net.node("Gather", net.node("Shape", y), net.const(0, dtype=np.int64), axis=0)
    size = net.node("Unsqueeze", size, axes=[0])
    y = net.node("Reshape", y, net.node("Concat", size, net.ints(last), axis=0))
    model = net.model(net.gemm(y, (24, 5)), shape=[batch, 5])
    assert ops_of(same_function(model, values(net))) == ["Conv", "Flatten", "Gemm"]


def test_computed_by_arithmetic_on_the_shape(new_net, same_function, ops_of):
    net = new_net()
    y = image(net, "N")
    shape = net.node("Shape", y)
    lengths = [net.node("Gather", shape, net.ints(i)) for i in range(4)]
    product = net.node("Mul", net.node("Mul", lengths[1], lengths[2]), lengths[3])
    y = net.node("Reshape", y, net.node("Concat", lengths[0], product, axis=0))
    model = net.model(net.gemm(y, (24, 5)))
    assert ops_of(same_function(model, values(net))) == ["Conv", "Flatten", "Gemm"]


@pytest.mark.parametrize("axis", [1, -3])
@pytest.mark.parametrize("batch", [1, "N"])
def test_flatten(new_net, same_function, ops_of, axis, batch):
    net = new_net()
    model = net.model(net.node("Flatten", image(net, batch), axis=axis))
    canonical = same_function(model, values(net))
    assert ops_of(canonical) == ["Conv", "Flatten"]
    assert canonical.graph.nodes[-1].attrs["axis"] == 1


@pytest.mark.parametrize("opset", [9, 11, 13, 18])
@pytest.mark.parametrize("op", ["Squeeze", "Unsqueeze"])
def test_squeeze_and_unsqueeze(new_net, same_function, opset, op):
    net = new_net(opset=opset)
    shape = (1, 4, 1, 1) if op == "Squeeze" else (1, 4)
    axes = [2, 3]
    x = net.input(shape=shape)
    y = net.node(op, x, axes=axes) if opset < 13 else net.node(op, x, net.ints(*axes))
    model = net.model(y)
    same_function(model, net.rng.normal(size=(3, *shape[1:])).astype(np.float32))


@pytest.mark.parametrize("wanted", [[2, 12], [4, 6], [24], [-1]])
def test_what_mixes_the_samples_stays(new_net, ops_of, wanted):
    net = new_net()
    model = net.model(net.node("Reshape", image(net, 1), net.ints(*wanted)))
    canonical = canonicalise(model)
    assert ops_of(canonical) == ["Conv", "Reshape"]
    np.testing.assert_array_equal(canonical.graph.nodes[-1].inputs[1].values, wanted)
