"""What a simulation of a plan sees."""

import numpy as np
import pytest

from onnx2snn.calibration.signals import Train
from onnx2snn.calibration.tunable import TunableNetwork
from onnx2snn.methods.forward import observe_plan, simulate_plan, unrounded
from onnx2snn.methods.work import Outcome
from onnx2snn.plan import ConversionConfig

every_neuron = pytest.mark.parametrize("neuron", ["if", "signed-if", "asg"])


@pytest.fixture(scope="module", params=["AveragePool", "MaxPool"])
def net(request, jointed, cut):
    return cut(jointed(request.param))


def plan(net, neuron):
    return net.plan(
        ConversionConfig(timesteps=4, neuron=neuron, threshold="mmse", avgpool="linear")
    )


def observed(net, neuron, choose=None):
    return observe_plan(net.segments, plan(net, neuron), (), net.inputs, 4, {}, choose)


@every_neuron
def test_results_are_those_of_a_simulation(neuron, net):
    results = simulate_plan(net.segments, plan(net, neuron), (), net.inputs, 4)
    [(_, simulated)] = results.values()
    seen = observed(net, neuron)
    [judged] = [s.error for s in net.segments if s.is_result]
    np.testing.assert_allclose(seen.answers[judged], simulated, rtol=1e-4, atol=1e-5)
    assert set(seen.slopes) == {s.name for s in net.segments if s.site and not s.site.is_pool}


@every_neuron
def test_nobody_chosen_changes_nothing(neuron, net):
    plain = observed(net, neuron)
    same = observed(net, neuron, lambda shape: np.zeros(shape, bool))
    for name, value in plain.values.items():
        np.testing.assert_array_equal(same.values[name], value)


@every_neuron
def test_all_chosen_answer_their_current(neuron, net):
    """Within the range of their rates; pools receive spikes all the same."""
    seen = observed(net, neuron, lambda shape: np.ones(shape, bool))
    pooled = {n for s in net.segments if s.site and s.site.is_pool for n in s.inputs}
    neurons = {n.site: n for n in plan(net, neuron)}
    network = TunableNetwork(net.segments, plan(net, neuron), (), 1)
    outputs = [s.output for s in network.populations]
    currents = network.session(outputs).run(seen.feeds, network.parameters)
    for segment in network.populations:
        lower = np.float32(segment.site.lower)
        found = seen.answers[segment.target] - lower
        largest = neurons[segment.name].amplitude
        if segment.target in pooled:
            levels = 4 * found / np.where(largest == 0, 1, largest)
            np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
        else:
            wanted = np.clip(currents[segment.output] - lower, 0, largest)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_every_step_and_their_means(net):
    """Rows of the window have the means that are told without them."""
    means, steps = (
        observe_plan(net.segments, plan(net, "if"), (), net.inputs, 4, in_time=in_time)
        for in_time in (False, True)
    )
    assert set(means.values) == set(steps.values)
    for name, rows in steps.values.items():
        assert rows.shape == (4, *means.values[name].shape[1:])
        np.testing.assert_allclose(rows.mean(0), means.values[name][0], rtol=1e-5, atol=1e-6)
    for name, answer in means.answers.items():
        np.testing.assert_array_equal(steps.answers[name], answer)
    for slopes in steps.slopes.values():
        assert slopes.passes.shape == slopes.levers.shape
        assert len(slopes.passes) == 4


@pytest.mark.parametrize("steps", [5, 1])
def test_unrounded_neurons_fire_when_they_did(steps):
    """What is chosen has its current's mean, within bounds; changes in time stay as they were."""
    rng = np.random.default_rng(0)
    spikes = rng.integers(-1, 2, (steps, 3, 4)).astype(np.int8)
    chosen = rng.random((3, 4)) < 0.5
    drive = rng.normal(0, 1, (3, 4)).astype(np.float32)
    plain = Train(spikes, np.full(4, 0.5, np.float32), 0.25)
    outcome = Outcome(spikes, spikes.mean(0, dtype=np.float32), drive)
    found = unrounded(plain, outcome, lambda shape: chosen)
    part = slice(1, 3)
    wanted = np.where(chosen, np.clip(drive, 0, 0.5) + 0.25, plain.mean(slice(None)))[part]
    np.testing.assert_allclose(found.mean(part), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.rows(part).mean(0), wanted, rtol=1e-5, atol=1e-6)
    changes, before = (np.diff(t.rows(part), axis=0) for t in (found, plain))
    np.testing.assert_allclose(changes, before, atol=1e-6)
