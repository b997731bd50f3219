"""The best calibration on samples that none of them has seen."""

import re
from dataclasses import replace

import numpy as np
import pytest

from onnx2snn.methods import RECIPES, TUNINGS, Calibrated, TuningMethod, calibrate, calibrates
from onnx2snn.methods import network as room
from onnx2snn.methods.base import THRESHOLDS
from onnx2snn.plan import ConversionConfig

CONFIG = ConversionConfig(
    timesteps=4,
    neuron="asg",
    threshold="mmse",
    avgpool="linear",
    bias="calibrate",
    weights="calibrate-cv",
    tuning="distill",
)


@pytest.fixture(scope="module")
def net(jointed, cut):
    return cut(jointed(), samples=64)


def calibrated(net, config=CONFIG):
    said = []
    start = net.plan(config)
    return Calibrated(start), calibrate(net.segments, start, net.dataset, config, said), said


def replaced(monkeypatch, tune):
    monkeypatch.setitem(TUNINGS._items, "distill", TuningMethod("distill", "s", tune))


def weights(found):
    return {c.layer: c.weight for c in found.corrections}


def test_tuned_is_kept(net, monkeypatch):
    """Where it is the best: of the start, the walk, and the tuned network."""
    errors = iter((0.3, 0.2, 0.1))
    monkeypatch.setattr(room, "output_error", lambda results: next(errors))
    start, found, said = calibrated(net)
    walked = calibrate(
        net.segments, start.neurons, net.dataset.apart(8)[0], replace(CONFIG, tuning="none"), []
    )
    assert [d.code for d in said] == ["CALIBRATIONS_COMPARED"]
    assert said[0].what == "kept 'distill' of these: start 30 %, walk 20 %, distill 10 %"
    assert "on 8 samples" in said[0].why
    assert any((weights(found)[n] != w).any() for n, w in weights(walked).items())
    assert {n.provenance["tuning"] for n in found.neurons} == {"distill"}


def test_the_least_error_is_kept(net):
    """The name told is that of the smallest number told."""
    _, _, [said] = calibrated(net, replace(CONFIG, weights="calibrate-ls"))
    kept = re.match(r"kept '(\w+)'", said.what)[1]
    errors = {name: float(error) for name, error in re.findall(r"(\w+) ([0-9.]+) %", said.what)}
    assert set(errors) == {"start", "walk", "distill"}
    assert kept == min(errors, key=errors.__getitem__)


def test_never_worse(net, monkeypatch):
    """A tuning that spoils everything is thrown away."""
    before = {}

    def spoil(segments, start, inputs, *_, **__):
        before.update({c.layer: c.weight for c in start.corrections})
        spoilt = [replace(c, weight=-c.weight) for c in start.corrections]
        return Calibrated(start.neurons, tuple(spoilt))

    replaced(monkeypatch, spoil)
    _, found, said = calibrated(net)
    assert re.match("kept '(start|walk)' of these", said[0].what)
    for correction in found.corrections:
        np.testing.assert_array_equal(correction.weight, before[correction.layer])


def test_the_start_where_nothing_helps(net, monkeypatch):
    def spoil(segments, start, inputs, *_, **__):
        none = [replace(n, amplitude=None if n.amplitude is None else 0 * n.amplitude)
                for n in start.neurons]  # fmt: skip
        return Calibrated(tuple(none), start.corrections)

    replaced(monkeypatch, spoil)
    config = replace(CONFIG, bias="none", weights="none")
    start, found, said = calibrated(net, config)
    assert found is not start
    assert said[0].what.startswith("kept 'start' of these")
    for one, other in zip(start.neurons, found.neurons, strict=True):
        np.testing.assert_array_equal(one.threshold, other.threshold)


def test_tunes_on_other_samples_than_it_compares(net, monkeypatch):
    seen = []

    def look(segments, start, inputs, *_, **__):
        seen.append(inputs["x"])
        return start

    replaced(monkeypatch, look)
    compared = []
    real = room.simulate_plan

    def simulated(*args, inputs, **options):
        compared.append(inputs["x"])
        return real(*args, inputs=inputs, **options)

    monkeypatch.setattr(room, "simulate_plan", simulated)
    calibrated(net)
    rows = {row.tobytes() for row in seen[0]}
    held = {row.tobytes() for row in compared[0]}
    assert (len(rows), len(held)) == (56, 8)
    assert not rows & held


@pytest.mark.parametrize("neuron", ["asg", "signed-if"])
def test_without_gradients_layers_are_fitted_one_by_one(neuron, new_net, cut):
    """As recipe regression does, whatever the stages were."""
    made = new_net()
    x = made.relu(made.conv(made.input(shape=("N", 2, 8, 8)), (3, 2, 1, 1)), name="one")
    x = made.node("Sigmoid", made.conv(x, (3, 3, 1, 1)))
    x = made.relu(made.conv(x, (3, 3, 1, 1)), name="two")
    net = cut(made.model(made.conv(x, (2, 3, 1, 1))))
    tuned = replace(CONFIG, neuron=neuron, bias="none", weights="none")
    _, found, said = calibrated(net, tuned)
    assert [d.code for d in said] == ["NOT_TUNED"]
    assert "Sigmoid" in said[0].why
    stages = RECIPES.get("regression").chosen({"neuron": neuron}, timesteps=4, has_data=True)
    known = {k: v for k, v in stages.items() if k in ("threshold", "v_init", "bias", "weights")}
    _, walked, _ = calibrated(net, replace(CONFIG, neuron=neuron, tuning="none", **known))
    assert found.corrections
    for one, other in zip(found.corrections, walked.corrections, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
    for one, other in zip(found.neurons, walked.neurons, strict=True):
        np.testing.assert_array_equal(one.threshold, other.threshold)


@pytest.mark.parametrize("timesteps", [1, 2])
def test_one_sample(timesteps, jointed, cut):
    net = cut(jointed("MaxPool"), samples=1)
    _, found, said = calibrated(net, replace(CONFIG, timesteps=timesteps))
    assert "on 1 samples" in said[0].why
    for neuron in found.neurons:
        assert np.isfinite(neuron.v_init).all()
    for correction in found.corrections:
        assert np.isfinite(correction.weight).all()


def test_who_calibrates():
    assert not calibrates(ConversionConfig())
    assert calibrates(ConversionConfig(tuning="distill"))
    assert calibrates(ConversionConfig(bias="calibrate"))
    assert all(calibrates(ConversionConfig(threshold=m.name)) == (m.refine is not None)
               for m in THRESHOLDS)  # fmt: skip


def test_tunings_describe_themselves():
    for name in TUNINGS.names():
        method = TUNINGS.get(name)
        assert method.name == name
        assert method.summary
        assert "\n" not in method.summary
