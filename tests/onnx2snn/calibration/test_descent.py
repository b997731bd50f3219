"""Loss and gradients of the whole network."""

import numpy as np
import pytest

from onnx2snn.calibration.descent import NEURON, POPULATIONS, Descent
from onnx2snn.calibration.gradients.backward import NoGradientError
from onnx2snn.calibration.runnable import source_network
from onnx2snn.calibration.tunable import TunableNetwork
from onnx2snn.methods.forward import observe_plan
from onnx2snn.plan import ConversionConfig

#: So many steps that the floor hardly shows.
FINE = 1 << 12


@pytest.fixture(scope="module")
def net(jointed, cut):
    return cut(jointed("MaxPool"), samples=16)


def descent(net, timesteps, neuron="asg"):
    """Averaged neurons go back through means, others through time."""
    config = ConversionConfig(
        timesteps=timesteps, neuron=neuron, threshold="mmse", avgpool="linear"
    )
    rows = 1 if neuron == "asg" else timesteps
    network = TunableNetwork(net.segments, net.plan(config), (), rows)

    def observe(inputs):
        neurons, corrections = network.tuned_neurons(), network.tuned_corrections()
        return observe_plan(net.segments, neurons, corrections, inputs, timesteps, in_time=rows > 1)

    found = Descent(network, source_network(net.segments), net.inputs, observe(net.inputs))
    return network, lambda inputs: found(inputs, observe(inputs))


def test_gradients_against_differences(net):
    """With fine steps the straight-through estimate is the derivative."""
    network, loss = descent(net, FINE)
    rng = np.random.default_rng(0)
    for name, values in network.parameters.items():  # away from the source, where L is smooth
        noise = rng.normal(0, 0.1, values.shape).astype(np.float32)
        network.parameters[name] = values + noise * np.abs(values).mean()
    _, gradients = loss(net.inputs)
    assert set(gradients) == set(network.parameters)
    agree(network, loss, net.inputs, gradients)


def test_gradients_behind_the_last_spikes(net):
    """Nothing is rounded there: gradients through time are derivatives."""
    network, loss = descent(net, 4, "if")
    _, gradients = loss(net.inputs)
    assert set(gradients) == set(network.parameters)
    last = [n.name for n in network.nodes if network.results[0] in n.output]
    behind = {n: g for n, g in gradients.items() if n.rpartition("/")[0] in last}
    assert behind
    agree(network, loss, net.inputs, behind)


def agree(network, loss, inputs, gradients):
    """Gradients with differences of the loss, along their signs."""
    largest = max(float(np.abs(g).sum()) for g in gradients.values())
    for name, gradient in gradients.items():
        values = network.parameters[name]
        assert gradient.shape == values.shape
        way = np.sign(gradient)
        step = np.float32(0.002) * max(np.abs(values).mean(), np.float32(0.1))
        ahead, behind = (
            loss(inputs)[0]
            for network.parameters[name] in (values + step * way, values - step * way)
        )
        network.parameters[name] = values
        slope = float((ahead - behind) / (2 * step))
        assert slope == pytest.approx(np.abs(gradient).sum(), rel=0.1, abs=0.01 * largest)


def test_loss_is_relative(net):
    """One result as far away as it varies counts one, populations in the mean a fixed weight."""
    network, loss = descent(net, FINE)
    exact, _ = loss(net.inputs)
    assert exact < 0.1
    for name in network.parameters:
        network.parameters[name] = 0 * network.parameters[name] + np.float32(
            1e6 if name.endswith("/threshold") else 0
        )
    silent, _ = loss(net.inputs)
    source = source_network(net.segments).run(net.inputs)
    y = source[network.results[0]]
    result = float(np.mean(np.square(y, dtype=np.float64)) / y.var(dtype=np.float64))
    lower = source[network.populations[3].target]
    four = np.mean((lower + 0.3) ** 2) / np.mean(lower**2)
    assert silent == pytest.approx(result + POPULATIONS * (4 + four) / 5, rel=1e-3)


def test_work_counts_layers_and_neurons(new_net, cut):
    """A convolution of 3·2 weights at 8·8 places, a population there, and a layer of 192·5."""
    made = new_net()
    x = made.relu(made.conv(made.input(shape=("N", 2, 8, 8)), (3, 2, 1, 1)), name="one")
    x = made.node("Flatten", x)
    x = made.node("MatMul", x, made.const(np.random.default_rng(0).normal(size=(192, 5))))
    net = cut(made.model(x))
    config = ConversionConfig(timesteps=4, neuron="asg", threshold="mmse")
    network = TunableNetwork(net.segments, net.plan(config), (), 1)
    seen = observe_plan(net.segments, net.plan(config), (), net.inputs, 4)
    found = Descent(network, source_network(net.segments), net.inputs, seen)
    assert found.work == 6 * 64 + 960 + NEURON * 192


def test_a_constant_source_is_refused(new_net, cut):
    """A population that never fires, and a result that is always the same."""
    made = new_net()
    dead = made.const(np.zeros((3, 2, 1, 1)))
    x = made.relu(made.node("Conv", made.input(shape=("N", 2, 8, 8)), dead), name="one")
    net = cut(made.model(made.conv(x, (2, 3, 1, 1))))
    with pytest.raises(NoGradientError, match="same for all samples"):
        descent(net, 4)
