"""The graph for the way back says of every tensor what a simulation says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.calibration.tunable import SHIFT, THRESHOLD, TunableNetwork
from onnx2snn.methods.forward import observe_plan
from onnx2snn.plan import ConversionConfig


@pytest.fixture(scope="module", params=["AveragePool", "MaxPool"])
def net(request, jointed, cut):
    return cut(jointed(request.param))


def config(neuron="asg", timesteps=4):
    return ConversionConfig(
        timesteps=timesteps, neuron=neuron, threshold="mmse", avgpool="linear", v_init="half"
    )


def tunable(net, neuron="asg", timesteps=4):
    return TunableNetwork(net.segments, net.plan(config(neuron, timesteps)), (), timesteps)


def seen(network, net):
    neurons, corrections = network.tuned_neurons(), network.tuned_corrections()
    return observe_plan(net.segments, neurons, corrections, net.inputs, network.timesteps)


def moved(network, seed):
    """With parameters somewhere near."""
    rng = np.random.default_rng(seed)
    for name, values in network.parameters.items():
        noise = rng.normal(0, 0.1, values.shape).astype(np.float32)
        changed = values * np.exp(noise) if name.endswith(THRESHOLD) else values + noise
        network.parameters[name] = changed
    return network


def graph(network, observation, tensors):
    return network.session(tensors).run(observation.feeds, network.parameters)


@settings(max_examples=10)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["if", "signed-if", "asg"]),
    st.sampled_from([1, 3, 16]),
)
def test_currents_and_results_are_those_of_a_simulation(net, seed, neuron, timesteps):
    network = moved(tunable(net, neuron, timesteps), seed)
    observation = seen(network, net)
    currents = {s.site: s.output for s in network.populations}
    found = graph(network, observation, [*currents.values(), *network.results])
    for name in network.results:
        np.testing.assert_allclose(found[name], observation.values[name], rtol=1e-3, atol=1e-4)
    for site, current in currents.items():
        bias = network.parameters[site.name + SHIFT] - np.float32(site.lower)
        drive = observation.drives[site.name]
        np.testing.assert_allclose(found[current] + bias, drive, rtol=1e-3, atol=1e-4)


def test_takes_up_what_it_gave(net):
    """Another network made of the tuned plan is the same network."""
    network = moved(tunable(net), 1)
    again = TunableNetwork(
        net.segments, network.tuned_neurons(), network.tuned_corrections(), network.timesteps
    )
    one, other = seen(network, net), seen(again, net)
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, other.values[name])
    assert set(again.parameters) == set(network.parameters)
    for name, values in network.parameters.items():
        wanted = 0 * values if name.endswith(SHIFT) else values
        np.testing.assert_allclose(again.parameters[name], wanted, rtol=1e-6)


def test_nothing_changes_by_itself(net):
    for before, after in zip(net.plan(config()), tunable(net).tuned_neurons(), strict=True):
        for name in ("threshold", "v_init", "amplitude"):
            if getattr(before, name) is not None:
                np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-6)


def test_silent_channels_stay_silent(new_net, cut):
    made = new_net()
    dead = made.const(np.zeros((3, 2, 1, 1)))
    x = made.relu(made.node("Conv", made.input(shape=("N", 2, 8, 8)), dead), name="one")
    net = cut(made.model(made.conv(x, (2, 3, 1, 1))))
    network = moved(tunable(net), 2)
    assert all(not n.amplitude.any() for n in network.tuned_neurons())
    [population] = network.populations
    assert not seen(network, net).values[population.target].any()
