"""The graph for the way back says of every tensor what a simulation says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.calibration.populations import SIMULATIONS
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


def tunable(net, neuron="asg", timesteps=4, rows=1):
    return TunableNetwork(net.segments, net.plan(config(neuron, timesteps)), (), rows)


def seen(network, net, timesteps=4):
    neurons, corrections = network.tuned_neurons(), network.tuned_corrections()
    in_time = network.rows > 1
    return observe_plan(net.segments, neurons, corrections, net.inputs, timesteps, in_time=in_time)


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
    st.sampled_from([("if", 4), ("if", 1), ("asg", 1)]),
)
def test_currents_and_results_are_those_of_a_simulation(net, seed, model):
    """Neurons that receive the graph's currents answer what the simulation says."""
    neuron, rows = model
    timesteps = max(rows, 2) if neuron == "asg" else rows
    network = moved(tunable(net, neuron, timesteps, rows), seed)
    observation = seen(network, net, timesteps)
    currents = {s.site.name: s.output for s in network.populations}
    found = graph(network, observation, [*currents.values(), *network.results])
    for name in network.results:
        mean = found[name].reshape(rows, -1, *found[name].shape[1:]).mean(0)
        np.testing.assert_allclose(mean, observation.answers[name], rtol=1e-3, atol=1e-4)
    neurons = {n.site: n for n in network.tuned_neurons()}
    for segment in network.populations:
        plan = neurons[segment.name]
        current = found[segment.output] + plan.bias - np.float32(segment.site.lower)
        simulate = SIMULATIONS[neuron, "subtract"]
        window = current.reshape(rows, -1, *current.shape[1:])
        spikes = simulate(window, plan.threshold, plan.v_init, timesteps)
        answers = spikes * plan.amplitude + np.float32(segment.site.lower)
        same = np.isclose(answers, observation.values[segment.target], rtol=1e-3, atol=1e-4)
        assert same.mean() > 0.995  # but where a sum's last bit decides


@pytest.mark.parametrize(("neuron", "rows"), [("asg", 1), ("if", 4)])
def test_takes_up_what_it_gave(neuron, rows, net):
    """Another network made of the tuned plan is the same network."""
    network = moved(tunable(net, neuron, rows=rows), 1)
    again = TunableNetwork(
        net.segments, network.tuned_neurons(), network.tuned_corrections(), network.rows
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
