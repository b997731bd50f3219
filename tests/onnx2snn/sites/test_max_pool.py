"""Max pools that work on spikes."""

import numpy as np
import pytest

from onnx2snn.sites import classify, islands, refusals


def pool(net, x, **attributes):
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} | attributes
    return net.node("MaxPool", x, name="pool", **attributes)


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
def test_behind_a_population(new_net, find, avgpool):
    net = new_net()
    site = find(net.model(pool(net, net.relu(net.input()))), avgpool).sites[-1]
    assert (site.name, site.kind, site.nodes) == ("pool", "max_pool", ("pool",))
    assert (site.channels, site.rank, site.places, site.is_pool) == (2, 4, None, True)


@pytest.mark.parametrize("between", ["pools", "quantizer", "Pad", "Transpose"])
def test_what_only_moves_spikes_may_stand_between(new_net, find, quantized, between):
    net = new_net(opset=17)
    x = net.relu(net.input())
    if between == "pools":
        x = net.node("MaxPool", x, kernel_shape=[2, 2])
        x = net.node("AveragePool", x, kernel_shape=[2, 2])
    elif between == "quantizer":
        x = quantized(net, net.node("MaxPool", x, kernel_shape=[2, 2]), 0.1)
    elif between == "Pad":
        x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1))
    else:
        x = net.node("Transpose", x, perm=[0, 1, 3, 2])
    assert find(net.model(pool(net, x))).sites[-1].name == "pool"


def objection(net, y, find):
    """What is said of the pool, which is no site."""
    found = find(net.model(net.relu(net.conv(y, (2, 2, 1, 1)))))
    assert all(s.name != "pool" for s in found.sites)
    graph = found.canonical.graph
    regions = classify(graph, found.sites, ())
    refused = refusals(graph, regions, ())
    (told,) = refused + islands(graph, regions, ())
    assert told.node == "'pool' (MaxPool)"
    return told.what if refused else told.why


@pytest.mark.parametrize("between", ["Sum", "Clip with an offset", "Pad of ones", "linear pool"])
def test_what_pools_no_spikes_is_an_island(new_net, find, between):
    net = new_net()
    x = net.relu(net.input())
    if between == "Sum":
        x = net.node("Add", x, x)
    elif between == "Clip with an offset":
        x = net.node("Clip", net.conv(x, (2, 2, 1, 1)), net.const(-1.0), net.const(1.0))
    elif between == "Pad of ones":
        x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1), net.const(1.0))
    else:
        x = net.node("Add", net.node("AveragePool", x, kernel_shape=[1, 1]), x)
    assert objection(net, pool(net, x), find) == "what it pools are not one population's spikes"


@pytest.mark.parametrize(
    ("attributes", "shape", "why"),
    [
        ({"dilations": [2, 1]}, ("N", 2, 6, 6), "dilated"),
        ({"ceil_mode": 1}, ("N", 2, "H", "W"), "depends on the input's size"),
        ({"auto_pad": "SAME_UPPER"}, ("N", 2, "H", "W"), "depends on the input's size"),
    ],
)
def test_forms_that_are_islands(new_net, find, attributes, shape, why):
    net = new_net()
    x = net.relu(net.input(shape=shape))
    assert why in objection(net, pool(net, x, **attributes), find)


def test_indices(new_net, find):
    net = new_net()
    x = net.relu(net.input())
    y = net.node("MaxPool", x, name="pool", kernel_shape=[2, 2], strides=[2, 2], outputs=2)
    wide = net.node("Cast", "pool_out1", to=1)
    assert objection(net, net.node("Add", y, wide), find) == "its indices are used"


def test_indices_as_output(new_net, find):
    net = new_net()
    x = net.relu(net.input())
    net.node("MaxPool", x, name="pool", kernel_shape=[2, 2], outputs=2)
    model = net.model("pool_out", "pool_out1", check=False, shape=["N", 2, 5, 5])
    model.graph.output[1].type.tensor_type.elem_type = 7
    assert [s.kind for s in find(model).sites] == ["relu"]


def test_unused_indices_do_no_harm(new_net, find):
    net = new_net()
    x = net.relu(net.input())
    y = net.node("MaxPool", x, name="pool", kernel_shape=[2, 2], outputs=2)
    assert find(net.model(y)).sites[-1].kind == "max_pool"


def test_of_unknown_size_with_explicit_pads(new_net, find):
    net = new_net()
    x = net.relu(net.input(shape=("N", 2, "H", "W")))
    assert find(net.model(pool(net, x, pads=[1, 0, 0, 1]))).sites[-1].kind == "max_pool"


def test_in_front_of_all_spikes_it_is_analog(new_net, find):
    net = new_net()
    found = find(net.model(net.relu(net.conv(pool(net, net.input()), (2, 2, 1, 1)))))
    assert found.kinds == ["relu"]
    graph = found.canonical.graph
    regions = classify(graph, found.sites, ())
    assert regions["pool"].value == "analog"
    assert refusals(graph, regions, ()) == islands(graph, regions, ()) == []


def test_a_quantizer_behind_it_is_no_site(new_net, find, quantized):
    net = new_net(opset=17)
    x = quantized(net, net.conv(net.input(), (2, 2, 3, 3)), 0.02)
    y = quantized(net, pool(net, x), 0.02)
    found = find(net.model(net.conv(y, (2, 2, 1, 1))))
    assert found.kinds == ["quantizer", "max_pool"]
    np.testing.assert_array_equal(found.sites[0].lower, 0)
