"""The network in counts answers as the walk does, whatever its parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.calibration.counts import SHIFT, THRESHOLD, CountNetwork
from onnx2snn.calibration.gradients.backward import NoGradientError
from onnx2snn.methods.forward import simulate_plan
from onnx2snn.plan import ConversionConfig

POOLS = ("AveragePool", "MaxPool")


@pytest.fixture(scope="module", params=POOLS)
def net(request, jointed, cut):
    return cut(jointed(request.param))


def counts(net, timesteps=4, corrections=()):
    config = ConversionConfig(timesteps=timesteps, neuron="asg", threshold="mmse", avgpool="linear")
    return CountNetwork(net.segments, net.plan(config), corrections, timesteps)


def answer(network, net):
    [y] = network.session(network.results).run(net.inputs, network.parameters).values()
    return y


def walked(network, net):
    """What the walk makes of the network's parameters."""
    neurons, corrections = network.tuned_neurons(), network.tuned_corrections()
    found = simulate_plan(net.segments, neurons, corrections, net.inputs, network.timesteps)
    [(_, y)] = found.values()
    return y


def same(one, other):
    """Near ties of float32 may fall either way."""
    assert one.shape == other.shape
    assert np.isclose(one, other, rtol=1e-3, atol=1e-3).all(axis=1).mean() > 0.8


@pytest.mark.parametrize("timesteps", [1, 3, 32])
def test_answers_as_the_walk(timesteps, net):
    network = counts(net, timesteps)
    same(answer(network, net), walked(network, net))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_parameters_mean_what_plans_mean(net, seed):
    rng = np.random.default_rng(seed)
    network = counts(net)
    for name, values in network.parameters.items():
        noise = rng.normal(0, 0.1, values.shape).astype(np.float32)
        moved = values * np.exp(noise) if name.endswith(THRESHOLD) else values + noise
        network.parameters[name] = moved
    same(answer(network, net), walked(network, net))


def test_takes_up_what_it_gave(net):
    """Another network made of the tuned plan is the same network."""
    network = counts(net)
    for name in network.parameters:
        network.parameters[name] = np.float32(1.1) * network.parameters[name] + np.float32(0.01)
    again = CountNetwork(
        net.segments, network.tuned_neurons(), network.tuned_corrections(), network.timesteps
    )
    same(answer(network, net), answer(again, net))
    assert set(again.parameters) == set(network.parameters)
    for name, values in network.parameters.items():
        wanted = 0 * values if name.endswith(SHIFT) else values
        np.testing.assert_allclose(again.parameters[name], wanted, rtol=1e-6)


def test_nothing_changes_by_itself(net):
    network = counts(net)
    config = ConversionConfig(timesteps=4, neuron="asg", threshold="mmse", avgpool="linear")
    for before, after in zip(net.plan(config), network.tuned_neurons(), strict=True):
        for name in ("threshold", "v_init", "amplitude"):
            if getattr(before, name) is not None:
                np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-6)


def test_silent_channels_stay_silent(new_net, cut):
    made = new_net()
    dead = made.const(np.zeros((3, 2, 1, 1)))
    x = made.relu(made.node("Conv", made.input(shape=("N", 2, 8, 8)), dead), name="one")
    net = cut(made.model(made.conv(x, (2, 3, 1, 1))))
    network = counts(net)
    assert not answer(network, net).any()
    assert all(not n.amplitude.any() for n in network.tuned_neurons())


def test_pools_with_neurons_are_refused(jointed, cut):
    net = cut(jointed(), avgpool="spiking")
    with pytest.raises(NoGradientError, match="pool"):
        counts(net)
