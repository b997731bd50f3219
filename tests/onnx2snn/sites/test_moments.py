"""What batch norm tells of later pre-activations, against a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.canonical import Moments
from onnx2snn.frontend import canonicalise
from onnx2snn.sites.moments import propagate, rectified
from onnx2snn_runtime.instrument import with_outputs

SAMPLES = 20000


def normal(net, name, channels=4, size=2):
    """An input, a batch norm that was trained on it, and a function that draws from it."""
    x = net.input(name, ("N", channels, size, size))
    gamma, mean = net.rng.normal(size=channels), net.rng.normal(size=channels)
    beta, var = net.rng.normal(size=channels), net.rng.uniform(0.5, 2, channels)
    parameters = [net.const(v) for v in (gamma, beta, mean, var)]
    y = net.node("BatchNormalization", x, *parameters)

    def draw():
        shape = (SAMPLES, channels, size, size)
        values = net.rng.normal(size=shape) * np.sqrt(var)[:, None, None] + mean[:, None, None]
        return values.astype(np.float32)

    return y, draw


def compare(net, y, feeds, run_stock, tolerance=0.03):
    """The moments of tensor y as told and as measured."""
    canonical = canonicalise(net.model(net.relu(y, name="end")))
    (end,) = [n for n in canonical.graph.nodes if n.name == "end"]
    told = propagate(canonical)[end.inputs[0].name]
    model = with_outputs(canonical.to_model(), [end.inputs[0].name])
    (values,) = run_stock(model, feeds, [end.inputs[0].name])
    np.testing.assert_allclose(told.mean, values.mean(axis=(0, 2, 3)), atol=tolerance)
    np.testing.assert_allclose(told.std, values.std(axis=(0, 2, 3)), atol=tolerance)


@given(
    mean=st.floats(-5, 5),
    std=st.one_of(st.just(0.0), st.floats(0.01, 3)),
)
def test_rectified_by_integration(mean, std):
    told = rectified(Moments(np.array([mean], np.float32), np.array([std], np.float32)))
    if std == 0:
        assert (told.mean[0], told.std[0]) == (np.float32(max(mean, 0)), 0)
        return
    z = np.linspace(mean - 9 * std, mean + 9 * std, 20001)
    density = np.exp(-(((z - mean) / std) ** 2) / 2)
    density /= density.sum()
    first = (np.maximum(z, 0) * density).sum()
    second = (np.maximum(z, 0) ** 2 * density).sum()
    np.testing.assert_allclose(told.mean[0], first, atol=2e-4)
    np.testing.assert_allclose(told.std[0] ** 2, second - first**2, atol=2e-3)


def test_behind_batch_norm_and_relu(new_net, run_stock):
    net = new_net(seed=1)
    y, draw = normal(net, "x")
    compare(net, net.node("Identity", net.relu(y)), {"x": draw()}, run_stock)


@pytest.mark.parametrize("rectify", [False, True])
def test_a_residual_sum_of_two_branches(new_net, run_stock, rectify):
    net = new_net(seed=2)
    (a, draw_a), (b, draw_b) = normal(net, "a"), normal(net, "b")
    y = net.node("Add", net.relu(a) if rectify else a, b)
    compare(net, y, {"a": draw_a(), "b": draw_b()}, run_stock)


def test_a_shortcut_by_slice_and_pad(new_net, run_stock):
    # ResNet-20, option A: every second place, and silent channels on both sides.
    net = new_net(seed=3)
    (a, draw_a), (b, draw_b) = normal(net, "a", 2, 4), normal(net, "b", 4, 2)
    short = net.node(
        "Slice", net.relu(a), net.ints(0, 0), net.ints(9, 9), net.ints(2, 3), net.ints(2, 2)
    )
    short = net.node("Pad", short, net.ints(0, 1, 0, 0, 0, 1, 0, 0))
    compare(net, net.node("Add", short, b), {"a": draw_a(), "b": draw_b()}, run_stock)


def test_a_slice_of_channels(new_net, run_stock):
    net = new_net(seed=4)
    a, draw = normal(net, "a", 5)
    y = net.node("Slice", a, net.ints(1), net.ints(5), net.ints(1), net.ints(2))
    compare(net, y, {"a": draw()}, run_stock)


def told_at_the_end(net, y):
    canonical = canonicalise(net.model(net.relu(y, name="end")))
    (end,) = [n for n in canonical.graph.nodes if n.name == "end"]
    return propagate(canonical).get(end.inputs[0].name)


def test_relu6_is_taken_for_a_relu(new_net):
    net = new_net()
    a, _ = normal(net, "a")
    bounded = told_at_the_end(net, net.node("Clip", a, net.const(0.0), net.const(6.0)))
    net = new_net()
    a, _ = normal(net, "a")
    free = told_at_the_end(net, net.node("Identity", net.relu(a)))
    np.testing.assert_array_equal(bounded.mean, free.mean)
    np.testing.assert_array_equal(bounded.std, free.std)


@pytest.mark.parametrize("way", ["signed clip", "conv", "flatten", "one branch", "negative pad"])
def test_where_nothing_is_known_nothing_is_told(new_net, way):
    net = new_net()
    a, _ = normal(net, "a")
    if way == "signed clip":
        y = net.node("Clip", a, net.const(-1.0), net.const(1.0))
    elif way == "conv":
        y = net.conv(net.relu(a), (4, 4, 1, 1))
    elif way == "flatten":
        y = net.node("Flatten", a)
    elif way == "one branch":
        y = net.node("Add", net.input("b", ("N", 4, 2, 2)), a)
    else:
        y = net.node("Pad", a, net.ints(0, -1, 0, 0, 0, 0, 0, 0))
    assert told_at_the_end(net, y) is None


def test_the_site_knows_its_moments(new_net, find):
    net = new_net(seed=6)
    y = net.norm(net.conv(net.input(), (3, 2, 3, 3)), 3)
    model = net.model(net.conv(net.relu(y), (2, 3, 1, 1)))
    site = find(model).only
    assert site.mean.shape == site.std.shape == (3,)
    beta = np.frombuffer(model.graph.initializer[2].raw_data, np.float32)
    np.testing.assert_array_equal(site.mean, beta)


@pytest.mark.parametrize("op", ["Mul", "Add", "Div", "Neg"])
@pytest.mark.parametrize("shape", [(), (4, 1, 1), (1, 4, 1, 1)])
def test_constants(new_net, run_stock, op, shape):
    net = new_net()
    y, draw = normal(net, "x")
    operands = [] if op == "Neg" else [net.const(net.rng.uniform(-2, -0.5, shape))]
    y = net.node(op, y, *operands)
    compare(net, y, {"x": draw()}, run_stock, 0.1)


@pytest.mark.parametrize("shape", [(2,), (2, 2), (4, 2, 1)])
def test_constants_that_differ_by_place_tell_nothing(new_net, shape):
    net = new_net()
    y, _ = normal(net, "x")
    y = net.node("Mul", y, net.const(net.rng.uniform(1, 2, shape)), name="odd")
    canonical = canonicalise(net.model(net.relu(y)))
    assert "odd_out" not in propagate(canonical)


def test_both_rectifiers_of_a_leaky_one(new_net, find):
    net = new_net()
    y, _ = normal(net, "x")
    one, other = find(net.model(net.node("LeakyRelu", y))).sites
    np.testing.assert_allclose(one.mean, -other.mean)
    np.testing.assert_allclose(one.std, other.std)
