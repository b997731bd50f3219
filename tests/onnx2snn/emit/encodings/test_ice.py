"""Networks trained with input channel expansion, and what cannot be widened."""

import numpy as np
import pytest

import onnx2snn
from onnx2snn.errors import TimestepsError, UnsupportedModelError
from onnx2snn_runtime import SpikingSession

T = 4


def images(n=5):
    return np.random.default_rng(0).uniform(0, 1, (n, 2, 4, 4)).astype(np.float32)


def quantized(net, x, levels):
    """round(x·levels)/levels, limited to T levels of 1/T."""
    scaled = net.node("Round", net.node("Mul", x, net.const(float(levels))))
    return net.node("Div", net.node("Min", scaled, net.const(float(T))), net.const(float(T)))


def trained(net, phi):
    """A network as it is trained with expansion: quantized copies, one wide layer."""
    x = net.input(shape=("N", 2, 4, 4))
    copies = [quantized(net, x, n) for n in (T, T + 1, T - 1)] * phi
    x = net.node("Concat", *copies, axis=1, name="copies")
    x = net.relu(net.conv(x, (3, 6 * phi, 3, 3), bias=True, pads=[1] * 4, name="first"), name="a")
    return net.model(net.conv(x, (2, 3, 4, 4), name="last"))


@pytest.mark.parametrize("phi", [1, 2])
def test_a_network_trained_with_it(new_net, run_stock, tensors, phi):
    """The first layer's mean current is what it is in training, to the last level."""
    model, x = trained(new_net(), phi), images()
    shown = type(model)()
    shown.CopyFrom(model)
    shown.graph.output.add().name = "first_out"
    shown.graph.output[-1].type.tensor_type.elem_type = 1
    _, wanted = run_stock(shown, x)
    spiking = onnx2snn.convert(model, T, encoding="ice", input_range=(0, 1)).model
    ops = [n.op_type for n in spiking.graph.node]
    assert ops[:2] == ["ChannelExpand", "Conv"]
    got = tensors(spiking, x, ["first_out"])["first_out"]
    np.testing.assert_allclose(got.reshape(T, *wanted.shape).mean(axis=0), wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["depthwise", "pool"])
def test_layers_without_dense_weights_are_named(new_net, kind):
    net = new_net()
    x = net.input(shape=("N", 2, 4, 4))
    if kind == "depthwise":
        x = net.conv(x, (2, 1, 3, 3), group=2, name="first")
    else:
        x = net.node("AveragePool", x, kernel_shape=[2, 2], name="first")
    model = net.model(net.conv(net.relu(x), (2, 2, 1, 1)))
    with pytest.raises(UnsupportedModelError) as raised:
        onnx2snn.convert(model, T, encoding="ice", input_range=(0, 1))
    assert raised.value.node.startswith("'first'")
    assert raised.value.remedy == "convert with --encoding rate"


def test_the_file_is_made_for_its_T(new_net):  # noqa: N802  (T is the symbol)
    """The shares of the copies are not those of T = 1."""
    net = new_net()
    x = net.relu(net.conv(net.input(shape=("N", 2, 4, 4)), (3, 2, 1, 1)))
    model = net.model(net.conv(x, (2, 3, 4, 4)))
    result = onnx2snn.convert(
        model, T, encoding="ice", input_range=(0, 1), threshold="max", calibration_data=images()
    )
    assert result.plan.timesteps_fixed
    with pytest.raises(TimestepsError):
        SpikingSession(result.model).run(images(), 1)
