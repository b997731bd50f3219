"""Average pools that become populations: how many places each of their windows averages."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onnx2snn.sites.average_pool import counted_places, pool_geometry
from onnx2snn_runtime.windows import window_sum

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=150)
@given(
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    kernel=PAIR,
    stride=PAIR,
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    ceil=st.booleans(),
    include=st.booleans(),
    opset=st.sampled_from([11, 18, 19, 22]),
    auto=st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
)
def test_sum_over_places_is_the_average(
    new_net, find, run_stock, size, kernel, stride, pads, ceil, include, opset, auto
):
    attributes = {"pads": pads, "ceil_mode": int(ceil), "count_include_pad": int(include)}
    if auto == "NOTSET":
        assume(all(p < kernel[i % 2] for i, p in enumerate(pads)))
    else:  # onnxruntime refuses pools whose windows leave gaps under SAME
        assume(all(s <= k for k, s in zip(kernel, stride, strict=True)))
        attributes = {"auto_pad": auto, "count_include_pad": int(include)}
    net = new_net(opset=opset)
    act = net.relu(net.input(shape=("N", 2, *size)))
    y = net.node("AveragePool", act, kernel_shape=kernel, strides=stride, name="pool", **attributes)
    model = net.model(y)
    found = find(model)
    (pool,) = [s for s in found.sites if s.kind == "average_pool"]
    (node,) = [n for n in found.canonical.graph.nodes if n.op == "AveragePool"]
    x = net.rng.integers(0, 2, (3, 2, *size)).astype(np.float32)
    (wanted,) = run_stock(model, x)
    got = window_sum(x, *pool_geometry(node)) / pool.places
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
    np.testing.assert_array_equal(pool.places, np.round(pool.places))
    # A map only where windows differ.
    assert pool.places.shape in {(1,), (1, *wanted.shape[2:])}
    assert pool.places.size == 1 or len(np.unique(pool.places)) > 1


@pytest.mark.parametrize(("tail", "places"), [((6,), 2), ((6, 6), 4), ((6, 6, 4), 8)])
def test_of_any_rank(new_net, find, tail, places):
    net = new_net()
    act = net.relu(net.input(shape=("N", 3, *tail)))
    rank = len(tail)
    y = net.node("AveragePool", act, kernel_shape=[2] * rank, strides=[2] * rank, name="pool")
    site = find(net.model(y)).sites[-1]
    assert (site.name, site.kind, site.nodes) == ("pool", "average_pool", ("pool",))
    assert (site.rank, site.channels) == (rank + 2, 3)
    np.testing.assert_array_equal(site.places, [places])


def test_global_pools_count_the_image(new_net, find):
    net = new_net()
    act = net.relu(net.input(shape=("N", 3, 5, 7)))
    site = find(net.model(net.node("GlobalAveragePool", act, name="pool"))).sites[-1]
    assert site.kind == "average_pool"
    np.testing.assert_array_equal(site.places, [35])


def pool(net, x, **attributes):
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} | attributes
    return net.node("AveragePool", x, name="pool", **attributes)


def kept_linear(found):
    """The reason why the pool is no population."""
    assert all(s.kind != "average_pool" for s in found.sites)
    (told,) = [d for d in found.diagnostics if d.code == "POOL_KEPT_LINEAR"]
    assert told.severity == "info"
    assert "'pool'" in told.node
    return told.why


@pytest.mark.parametrize(
    "between",
    ["Sum", "Conv", "Concat with a sum", "Clip with an offset", "Pad of ones", "across channels"],
)
def test_what_averages_no_spikes_stays_linear(new_net, find, between):
    net = new_net()
    x = net.input()
    if between == "Clip with an offset":
        x = net.node("Clip", x, net.const(-1.0), net.const(1.0))
    else:
        x = net.relu(x)
    if between == "Sum":
        x = net.node("Add", x, x)
    elif between == "Conv":
        x = net.conv(x, (2, 2, 3, 3))
    elif between == "Concat with a sum":
        x = net.node("Concat", x, net.node("Add", x, x), axis=1)
    elif between == "across channels":
        x = net.node("Transpose", x, perm=[0, 2, 1, 3])
    elif between == "Pad of ones":
        x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1), net.const(1.0))
    found = find(net.model(pool(net, x)))
    assert "not the spikes of one population" in kept_linear(found)


@pytest.mark.parametrize(
    "between",
    [
        "Identity", "Pad", "mirror", "Slice", "Transpose", "quantizer", "pool", "Concat", "Gather",
        "Resize", "shuffle",
    ],
)  # fmt: skip
def test_what_only_moves_spikes_may_stand_between(new_net, find, quantized, between):
    net = new_net(opset=17)
    x = net.relu(net.input())
    if between == "Pad":
        x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1))
    elif between == "mirror":
        x = net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    elif between == "Slice":
        x = net.node("Slice", x, net.ints(0), net.ints(9), net.ints(2), net.ints(2))
    elif between == "Transpose":
        x = net.node("Transpose", x, perm=[0, 1, 3, 2])
    elif between == "quantizer":
        x = quantized(net, net.node("Identity", x), 0.1)
    elif between == "pool":
        x = net.node("AveragePool", x, kernel_shape=[2, 2])
    elif between == "Concat":
        x = net.node("Concat", x, net.relu(net.conv(x, (3, 2, 1, 1))), axis=1)
    elif between == "Gather":
        x = net.node("Gather", x, net.ints(1, 0, 1), axis=1)
    elif between == "Resize":
        x = net.node("Resize", x, "", net.const([1, 1, 2, 2]))
    elif between == "shuffle":
        x = net.node("Reshape", x, net.ints(0, 2, 1, 6, 6))
        x = net.node("Transpose", x, perm=[0, 2, 1, 3, 4])
        x = net.node("Reshape", x, net.ints(0, 2, 6, 6))
    assert find(net.model(pool(net, x))).sites[-1].name == "pool"


def test_a_pool_of_the_input_is_analog_without_a_word(new_net, find):
    net = new_net()
    y = net.relu(net.conv(pool(net, net.input()), (3, 2, 2, 2)))
    found = find(net.model(y))
    assert found.kinds == ["relu"]
    assert found.diagnostics == []


def test_linear_on_demand_without_a_word(new_net, find):
    net = new_net()
    found = find(net.model(pool(net, net.relu(net.input()))), "linear")
    assert found.kinds == ["relu"]
    assert found.diagnostics == []


@pytest.mark.parametrize(
    ("attributes", "spiking"),
    [
        ({}, True),
        ({"pads": [1] * 4, "count_include_pad": 1}, True),
        ({"pads": [1] * 4}, False),
        ({"ceil_mode": 1}, False),
        ({"auto_pad": "SAME_UPPER"}, False),
    ],
)
def test_of_unknown_size(new_net, find, attributes, spiking):
    net = new_net()
    found = find(net.model(pool(net, net.relu(net.input(shape=("N", 2, "H", "W"))), **attributes)))
    if spiking:
        np.testing.assert_array_equal(found.sites[-1].places, [4])
    else:
        assert "depends on the input's size" in kept_linear(found)


def test_a_global_pool_of_unknown_size_stays_linear(new_net, find):
    net = new_net()
    act = net.relu(net.input(shape=("N", 2, "H", "W")))
    found = find(net.model(net.node("GlobalAveragePool", act, name="pool")))
    assert "depends on the input's size" in kept_linear(found)


def test_a_dilated_pool_stays_linear(new_net, find):
    net = new_net(opset=19)
    act = net.relu(net.input())
    found = find(net.model(pool(net, act, dilations=[2, 2])))
    assert kept_linear(found)
    (node,) = [n for n in found.canonical.graph.nodes if n.op == "AveragePool"]
    assert counted_places(node) is None
