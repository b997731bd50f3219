"""All layers together, closer to the source."""

from dataclasses import replace

import numpy as np
import pytest

from onnx2snn.calibration.gradients.backward import NoGradientError
from onnx2snn.calibration.runnable import source_network
from onnx2snn.methods import TUNINGS, Calibrated
from onnx2snn.methods.forward import simulate_plan
from onnx2snn.methods.tuning import distill
from onnx2snn.plan import ConversionConfig

CONFIG = ConversionConfig(timesteps=4, neuron="asg", threshold="mmse", avgpool="linear")


@pytest.fixture(scope="module", params=["AveragePool", "MaxPool"])
def net(request, jointed, cut):
    return cut(jointed(request.param), samples=64)


def tuned(net, config=CONFIG, progress=None):
    start = Calibrated(net.plan(config))
    return start, TUNINGS.get("distill").tune(net.segments, start, net.inputs, config, progress, {})


def error(net, found, timesteps=4):
    results = simulate_plan(net.segments, found.neurons, found.corrections, net.inputs, timesteps)
    [(source, plan)] = results.values()
    return float(np.square(plan - source).sum() / np.square(source).sum())


@pytest.mark.parametrize(
    ("neuron", "timesteps"), [("asg", 1), ("asg", 4), ("if", 4), ("signed-if", 4), ("if", 12)]
)
def test_comes_closer(neuron, timesteps, net, monkeypatch):
    monkeypatch.setattr(distill, "MOST", 200)
    start, found = tuned(net, replace(CONFIG, timesteps=timesteps, neuron=neuron))
    assert error(net, found, timesteps) < 0.97 * error(net, start, timesteps)


@pytest.mark.parametrize(("neuron", "timesteps"), [("if", 4), ("if", 12), ("asg", 4)])
def test_potentials_are_tuned_in_time(neuron, timesteps, net):
    """With means a bias says the same, and they keep their shares."""
    config = replace(CONFIG, timesteps=timesteps, neuron=neuron)
    _, found = tuned(net, config)
    shares = [
        n.v_init / n.threshold
        for n in found.neurons
        if n.threshold is not None and n.amplitude is not None
    ]
    moved = any((np.abs(s - 0.5) > 0.01).any() for s in shares)
    tuned_in_time = neuron == "if" and timesteps == 4
    assert moved == tuned_in_time
    told = {n.provenance["v_init"] for n in found.neurons if n.threshold is not None}
    assert ("distill" in told) == tuned_in_time


def test_bounds_of_thresholds(net):
    """None is above its activation's range, or falls to nothing."""
    start, found = tuned(net)
    for site, before, after in zip(net.sites, start.neurons, found.neurons, strict=True):
        if after.threshold is not None:
            assert (after.threshold <= site.upper - site.lower + 1e-6).all()
            assert (after.threshold >= 0.05 * before.threshold).all()
            np.testing.assert_allclose(after.v_init, after.threshold / 2, rtol=1e-5)


def test_deterministic_for_a_seed(net):
    (_, one), (_, two), (_, other) = (tuned(net, replace(CONFIG, seed=s)) for s in (1, 1, 2))
    for a, b in zip(one.corrections, two.corrections, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
    assert any(
        (a.weight != b.weight).any()
        for a, b in zip(one.corrections, other.corrections, strict=True)
    )


def test_sees_changed_images(net):
    """With augmentation the way is another one, and the same for the same seed."""
    config = replace(CONFIG, augment="flip-crop")
    (_, one), (_, two), (_, plain) = tuned(net, config), tuned(net, config), tuned(net)
    for a, b in zip(one.corrections, two.corrections, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
    assert any(
        (a.weight != b.weight).any()
        for a, b in zip(one.corrections, plain.corrections, strict=True)
    )


def test_does_not_change_what_it_was_given(net):
    start = Calibrated(net.plan(CONFIG))
    before = [None if n.threshold is None else n.threshold.copy() for n in start.neurons]
    TUNINGS.get("distill").tune(net.segments, start, net.inputs, CONFIG, None, {})
    for neuron, threshold in zip(start.neurons, before, strict=True):
        if threshold is not None:
            np.testing.assert_array_equal(neuron.threshold, threshold)


def test_progress(net):
    told = []
    tuned(net, progress=lambda *a: told.append(a))
    steps = [step for _, step, _ in told]
    assert steps == list(range(1, told[0][2] + 1))
    assert all("loss" in text for text, _, _ in told)


@pytest.mark.parametrize("samples", [1, 3])
def test_few_samples(samples, jointed, cut):
    _, found = tuned(cut(jointed(), samples=samples), replace(CONFIG, timesteps=1))
    for values in (c.weight for c in found.corrections):
        assert np.isfinite(values).all()


def test_dead_channels(new_net, cut):
    """They stay silent, and the layers behind them learn."""
    made = new_net()
    weights = np.zeros((3, 2, 1, 1))
    weights[1] = 1
    x = made.node("Conv", made.input(shape=("N", 2, 8, 8)), made.const(weights))
    x = made.relu(made.conv(made.relu(x, name="one"), (3, 3, 1, 1)), name="two")
    net = cut(made.model(made.conv(x, (2, 3, 1, 1))))
    _, found = tuned(net)
    one = found.neurons[0]
    assert one.amplitude.reshape(-1).astype(bool).tolist() == [False, True, False]
    assert np.isfinite(one.threshold).all()
    assert np.isfinite(error(net, found))
    before = {layer.node: s for s in net.segments for layer in s.layers}
    assert set(before) == {c.layer for c in found.corrections}


def test_what_has_no_gradient(new_net, cut):
    made = new_net()
    x = made.relu(made.conv(made.input(shape=("N", 2, 8, 8)), (3, 2, 1, 1)), name="one")
    x = made.node("Sigmoid", made.conv(x, (3, 3, 1, 1)))
    x = made.relu(made.conv(x, (3, 3, 1, 1)), name="two")
    net = cut(made.model(made.conv(x, (2, 3, 1, 1))))
    with pytest.raises(NoGradientError, match="Sigmoid"):
        tuned(net)


def test_what_is_not_finite_ends_it(net, monkeypatch):
    """Other stages are taken then, rather than a network of NaN."""
    call = distill.Descent.__call__
    monkeypatch.setattr(
        distill.Descent, "__call__", lambda self, *args: (float("nan"), call(self, *args)[1])
    )
    with pytest.raises(NoGradientError, match="not finite"):
        tuned(net)


def test_batches_that_fit_into_memory(net, monkeypatch):
    """Of a budget that holds three samples, three are taken at once."""
    seen = []
    call = distill.Descent.__call__

    def spy(self, batch, observation):
        seen.append(len(next(iter(batch.values()))))
        return call(self, batch, observation)

    monkeypatch.setattr(distill.Descent, "__call__", spy)
    monkeypatch.setattr(distill, "FEWEST", 2)
    monkeypatch.setattr(distill, "MOST", 2)
    config = replace(CONFIG, neuron="if")
    values = source_network(net.segments).run(net.inputs)
    neurons = sum(value[0].size for value in values.values())
    monkeypatch.setattr(distill, "BUDGET", int(3.5 * neurons * (4 + distill.BYTES * 4)))
    tuned(net, config)
    assert seen == [3, 3]


def test_analog_parts_hear_means(new_net, cut):
    """A clip that stays analog is no part of the window: gradients go back through means."""
    made = new_net()
    x = made.relu(made.conv(made.input(shape=("N", 2, 8, 8)), (3, 2, 1, 1)), name="one")
    x = made.node("Clip", made.conv(x, (3, 3, 1, 1)), made.const(-0.4), made.const(0.6), name="odd")
    x = made.relu(made.conv(x, (3, 3, 1, 1)), name="two")
    model = made.model(made.conv(x, (2, 3, 1, 1)))
    config = replace(CONFIG, neuron="if")
    whole, analog = cut(model), cut(model, keep_analog={"odd"})
    assert distill._rows(whole.segments, config) == 4
    assert distill._rows(analog.segments, config) == 1
    start, found = tuned(analog, config)
    assert error(analog, found) < error(analog, start)
