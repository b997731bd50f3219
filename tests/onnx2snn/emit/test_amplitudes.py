"""Amplitudes move into the weights behind; layers receive unit spikes."""

from dataclasses import replace

import numpy as np
import pytest

import onnx2snn
from onnx2snn.errors import UnsupportedModelError

SIZE = (3, 6, 6)


def population(net, name="pop"):
    """Three channels of very different size."""
    factor = net.const(np.array([0.1, 1.0, 10.0]).reshape(3, 1, 1))
    x = net.conv(net.input(shape=("N", *SIZE)), (3, 3, 3, 3), bias=True, pads=[1] * 4)
    return net.relu(net.node("Mul", x, factor), name=name)


def images(net, n=3):
    return net.rng.normal(size=(n, *SIZE)).astype(np.float32)


def end(net, x, channels, size=None):
    """A layer that shows wrong amplitudes of any channel."""
    if size is None:
        return net.conv(x, (4, channels, 3, 3), bias=True, name="last")
    return net.gemm(x, (size, 4), name="last")


def unit(net, x):
    """A population whose amplitude is one."""
    return net.node("Clip", net.conv(x, (3, 3, 1, 1), bias=True), net.const(0.0), net.const(1.0))


PATHS = {
    "convolution": lambda n, x: end(n, x, 3),
    "grouped": lambda n, x: n.conv(x, (6, 1, 2, 2), bias=True, group=3, name="last"),
    "transposed": lambda n, x: n.conv(x, (3, 2, 2, 2), op="ConvTranspose", name="last"),
    "transposed, grouped": lambda n, x: n.conv(
        x, (3, 2, 2, 2), bias=True, op="ConvTranspose", group=3, strides=[2, 2], name="last"
    ),
    "flatten": lambda n, x: end(n, n.node("Flatten", x), None, 108),
    "reshape": lambda n, x: end(
        n, n.node("Flatten", n.node("Reshape", x, n.ints(0, 9, 12))), None, 108
    ),
    "swap places": lambda n, x: end(n, n.node("Transpose", x, perm=[0, 1, 3, 2]), 3),
    "channels last": lambda n, x: end(
        n, n.node("Flatten", n.node("Transpose", x, perm=[0, 2, 3, 1])), None, 108
    ),
    "slice of channels": lambda n, x: end(
        n, n.node("Slice", x, n.ints(1), n.ints(3), n.ints(1)), 2
    ),
    "slice of places": lambda n, x: end(
        n, n.node("Slice", x, n.ints(0, 1), n.ints(9, 9), n.ints(2, 3), n.ints(1, 2)), 3
    ),
    "pad of channels": lambda n, x: end(n, n.node("Pad", x, n.ints(0, 1, 0, 0, 0, 2, 0, 0)), 6),
    "mirrored": lambda n, x: end(
        n, n.node("Pad", x, n.ints(0, 0, 1, 2, 0, 0, 0, 1), mode="reflect"), 3
    ),
    "slice and pad": lambda n, x: end(
        n,
        n.node(
            "Pad",
            n.node("Slice", x, n.ints(0, 0), n.ints(9, 9), n.ints(2, 3), n.ints(2, 2)),
            n.ints(0, 2, 0, 0, 0, 1, 0, 0),
        ),
        6,
    ),
    "unsqueeze and squeeze": lambda n, x: end(
        n, n.node("Squeeze", n.node("Unsqueeze", x, n.ints(1)), n.ints(1)), 3
    ),
    "average pool": lambda n, x: end(
        n, n.node("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4), 3
    ),
    "max pool": lambda n, x: end(n, n.node("MaxPool", x, kernel_shape=[2, 2]), 3),
    "global pool": lambda n, x: end(
        n, n.node("Flatten", n.node("GlobalAveragePool", x)), None, 3
    ),
    "factor": lambda n, x: end(
        n, n.node("Mul", x, n.const(np.array([3.0, 0.5, 2.0]).reshape(3, 1, 1))), 3
    ),
    "negative factor": lambda n, x: end(n, n.node("Div", n.node("Neg", x), n.const(4.0)), 3),
    "factor of one axis more": lambda n, x: end(
        n, n.node("Mul", n.const(np.array([3.0, 0.5, 2.0]).reshape(1, 3, 1, 1)), x), 3
    ),
    "nearest": lambda n, x: end(
        n, n.node("Resize", x, "", n.const([1, 1, 2, 2]), mode="nearest"), 3
    ),
    "shuffle": lambda n, x: end(
        n,
        n.node(
            "Reshape",
            n.node(
                "Transpose", n.node("Reshape", x, n.ints(0, 3, 1, 6, 6)), perm=[0, 2, 1, 3, 4]
            ),
            n.ints(0, 3, 6, 6),
        ),
        3,
    ),
    "space to depth": lambda n, x: end(n, n.node("SpaceToDepth", x, blocksize=2), 12),
    "gather": lambda n, x: end(n, n.node("Gather", x, n.ints(2, 0, 1, 0), axis=1), 4),
    "joined with itself": lambda n, x: end(n, n.node("Concat", x, x, axis=1), 6),
    "joined with another": lambda n, x: end(
        n, n.node("Concat", x, n.relu(n.conv(x, (2, 3, 1, 1)), name="other"), axis=1), 5
    ),
    "joined twice, behind moves": lambda n, x: end(
        n,
        n.node(
            "Concat",
            n.node("Concat", n.node("Transpose", x, perm=[0, 1, 3, 2]), x, axis=1),
            n.node("Slice", unit(n, x), n.ints(0), n.ints(2), n.ints(1)),
            axis=1,
        ),
        8,
    ),
    "joined and pooled": lambda n, x: end(
        n,
        n.node(
            "MaxPool",
            n.node("Concat", x, n.relu(n.conv(x, (2, 3, 1, 1)), name="other"), axis=1),
            kernel_shape=[2, 2],
        ),
        5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
@pytest.mark.parametrize("granularity", ["channel", "layer"])
@pytest.mark.parametrize("path", PATHS)
def test_they_reach_the_weights(
    new_net, run_stock, by_maximum, error_at, tensors, synapses, path, granularity, avgpool
):
    net = new_net()
    # Another population behind, so that the layer lives in time.
    y = net.relu(PATHS[path](net, population(net)), name="next")
    model = net.model(y)
    x = images(net)
    result = by_maximum(model, x, avgpool=avgpool, granularity=granularity)
    first = result.plan.neurons[0]
    assert first.amplitude.size == (3 if granularity == "channel" else 1)
    assert first.amplitude.max() > (5 * first.amplitude.min() if granularity == "channel" else 1)
    nodes = {n.name: n for n in result.model.graph.node}
    exact_pool = avgpool == "linear" and path in {"average pool", "global pool"}
    products = [n for n in result.model.graph.node if n.op_type == "Mul"]
    assert len(products) == 2  # one in front of the population, one behind the readout
    assert "last" in nodes
    if not exact_pool:
        assert "last" in {n.name for n in synapses(result.model)}
        (values,) = tensors(result.model, x, [nodes["last"].input[0]]).values()
        assert set(np.unique(values)) <= {0, 1}
    wanted = run_stock(model, x)
    assert error_at(result.model, wanted, x, 1024) < (0.01 if granularity == "channel" else 0.02)
    assert error_at(result.model, wanted, x, 4) > 0.01


def shortcut(net):
    """A residual block with an identity shortcut behind a population."""
    x = population(net)
    y = net.relu(net.conv(x, (3, 3, 3, 3), pads=[1] * 4, name="inner"), name="mid")
    y = net.conv(y, (3, 3, 3, 3), pads=[1] * 4, name="outer")
    y = net.relu(net.node("Add", y, x, name="sum"), name="after")
    return net.model(end(net, y, 3))


def test_a_product_stays_on_the_shortcut_only(new_net, by_maximum, tensors):
    net = new_net()
    model, x = shortcut(net), images(net)
    result = by_maximum(model, x)
    products = [n for n in result.model.graph.node if n.op_type == "Mul" and "pop" in n.name]
    (product,) = products
    readers = [n.name for n in result.model.graph.node if product.output[0] in n.input]
    assert readers == ["sum"]
    nodes = {n.name: n for n in result.model.graph.node}
    names = [nodes[n].input[0] for n in ("inner", "outer")]
    for values in tensors(result.model, x, names).values():
        assert set(np.unique(values)) == {0, 1}


def test_layers_that_receive_values_are_named(new_net, by_maximum):
    net = new_net()
    x = population(net)
    y = net.node("Add", net.conv(x, (3, 3, 1, 1), name="inner"), x)
    y = net.relu(net.conv(y, (3, 3, 1, 1), name="signed"))
    model = net.model(net.relu(net.conv(y, (2, 3, 1, 1), name="clean")))
    result = by_maximum(model, images(net))
    (told,) = [d for d in result.diagnostics if d.code == "VALUES_NOT_SPIKES"]
    assert told.severity == "info"
    assert told.what.endswith("instead of unit spikes: signed")


def test_of_many_layers_only_some_are_named(new_net, by_maximum):
    net = new_net()
    x = population(net)
    for i in range(7):
        x = net.node("Add", x, x)
        x = net.relu(net.conv(x, (3, 3, 1, 1), name=f"layer{i}"))
    result = by_maximum(net.model(x), images(net))
    (told,) = [d for d in result.diagnostics if d.code == "VALUES_NOT_SPIKES"]
    assert "7 layers" in told.what
    assert told.what.endswith("layer0, layer1, layer2, layer3 and 3 more")


def test_pure_networks_are_not_warned_of(new_net, by_maximum):
    net = new_net()
    x = population(net)
    for _ in range(2):
        x = net.relu(net.conv(x, (3, 3, 1, 1)))
    result = by_maximum(net.model(net.conv(x, (2, 3, 1, 1))), images(net))
    assert "VALUES_NOT_SPIKES" not in {d.code for d in result.diagnostics}


def test_an_amplitude_of_one_leaves_no_node_and_the_weights_alone(new_net):
    net = new_net()
    x = net.input()
    x = net.node("Clip", net.conv(x, (3, 2, 3, 3)), net.const(0.0), net.const(1.0))
    w = net.random(4, 3, 1, 1)
    x = net.relu(net.node("Conv", x, w))
    x = net.node("Add", x, net.node("Conv", x, net.random(4, 4, 1, 1)))
    model = net.model(x)
    result = onnx2snn.convert(model, 4, threshold="auto", input_range=(0, 1))
    assert result.plan.neurons[0].amplitude.tolist() == [1.0]
    weights = {t.name for t in result.model.graph.initializer}
    assert w in weights


def test_a_silent_channel_has_amplitude_zero(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    bias = net.const([0.0, -1e6, 0.0])
    x = net.node("Conv", net.input(shape=("N", *SIZE)), net.random(3, 3, 1, 1), bias)
    model = net.model(end(net, net.relu(x), 3))
    x = images(net)
    result = by_maximum(model, x)
    np.testing.assert_array_equal(result.plan.neurons[0].amplitude[1], 0)
    assert np.isfinite(result.plan.neurons[0].threshold).all()
    assert error_at(result.model, run_stock(model, x), x, 512) < 0.02


def test_differing_amplitudes_in_one_pool_are_refused_with_a_remedy(new_net, by_maximum):
    """Only a plan that was edited can ask for that."""
    net = new_net()
    x = net.node("AveragePool", population(net), kernel_shape=[2, 2], name="pool")
    model = net.model(net.relu(net.conv(x, (2, 3, 1, 1))))
    plan = by_maximum(model, images(net)).plan
    first = plan.neurons[0]
    grown = first.amplitude * np.linspace(1, 2, 36, dtype=np.float32).reshape(6, 6)
    edited = replace(plan, neurons=(replace(first, amplitude=grown), *plan.neurons[1:]))
    with pytest.raises(UnsupportedModelError, match=r"'pool'.*differing amplitude.*avgpool linear"):
        onnx2snn.convert(model, plan=edited)


def test_a_pool_across_channels_stays_linear(new_net, by_maximum, run_stock, error_at):
    net = new_net()
    x = net.node("Transpose", population(net), perm=[0, 2, 1, 3])
    x = net.node("AveragePool", x, kernel_shape=[2, 2], name="pool")
    model = net.model(net.relu(net.conv(x, (2, 6, 1, 1))))
    x = images(net)
    result = by_maximum(model, x)
    assert "POOL_KEPT_LINEAR" in {d.code for d in result.diagnostics}
    assert error_at(result.model, run_stock(model, x), x, 512) < 0.02
