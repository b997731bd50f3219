"""The contest takes what is best on samples that nothing was fitted to."""

from dataclasses import replace

import numpy as np
import pytest

from onnx2snn import convert
from onnx2snn.calibration import collect_statistics, open_dataset
from onnx2snn.frontend import canonicalise
from onnx2snn.methods import contest
from onnx2snn.methods.contest import contenders, hold_contest, report
from onnx2snn.methods.recipe import RECIPES
from onnx2snn.plan import ConversionConfig
from onnx2snn.sites import find_sites
from onnx2snn.sites.segments import find_segments
from onnx2snn_runtime.session import tensor_info

AUTO = ConversionConfig(timesteps=4, recipe="auto", **RECIPES.get("auto").stages_with_data)
MMSE = replace(AUTO, threshold="mmse", v_init="half", bias="none", weights="none")


@pytest.fixture(scope="module")
def model(new_net):
    net = new_net()
    x = net.relu(net.conv(net.input(shape=("N", 2, 6, 6)), (4, 2, 3, 3), bias=True), name="one")
    x = net.relu(net.conv(x, (6, 4, 3, 3), bias=True), name="two")
    return net.model(net.gemm(net.node("Flatten", x), (24, 5)))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(0, 1, (200, 2, 6, 6)).astype(np.float32)


def held(model, images, config):
    canonical = canonicalise(model)
    sites = find_sites(canonical, avgpool="linear", keep_analog=frozenset(), diagnostics=[])
    whole = canonical.to_model()
    dataset = open_dataset({"x": images}, tuple(tensor_info(i) for i in whole.graph.input))
    statistics = collect_statistics(whole, sites, dataset, percentile=99.9)
    return hold_contest(find_segments(canonical, sites, ()), sites, statistics, dataset, config)


def test_contenders_are_the_recipes():
    known = contenders(AUTO)
    assert list(known) == list(RECIPES.get("auto").contest)
    assert known["regression"] == AUTO
    assert known["mmse"] == MMSE


@pytest.mark.parametrize(
    "config",
    [
        replace(AUTO, threshold="max"),
        replace(AUTO, weights="none"),
        replace(AUTO, recipe="regression"),
        ConversionConfig(recipe="auto"),
    ],
    ids=["threshold", "weights", "recipe", "no data"],
)
def test_what_is_given_is_no_matter_of_contest(config):
    assert contenders(config) == {}


def test_other_choices_stay():
    known = contenders(replace(AUTO, neuron="signed-if", granularity="layer", seed=7))
    assert {(c.neuron, c.granularity, c.seed) for c in known.values()} == {
        ("signed-if", "layer", 7)
    }


@pytest.mark.parametrize("neuron", ["if", "signed-if", "asg"])
def test_the_best_wins(neuron, model, images):
    asked = replace(AUTO, neuron=neuron)
    config, scores = held(model, images, asked)
    assert [s.samples for s in scores] == [contest.TRIED] * 2
    assert {s.recipe for s in scores} == set(RECIPES.get("auto").contest)
    assert config == contenders(asked)[scores[0].recipe]
    assert scores == contest.best_first(scores[::-1])


@pytest.mark.parametrize(("timesteps", "samples"), [(32, 32), (1024, contest.LEAST)])
def test_long_windows_are_tried_on_fewer_samples(timesteps, samples, model, images, monkeypatch):
    monkeypatch.setattr(contest, "contenders", lambda config: {"mmse": long, "same": long})
    long = replace(MMSE, timesteps=timesteps)
    assert [s.samples for s in held(model, images, long)[1]] == [samples] * 2


def test_a_bad_one_loses(model, images, monkeypatch):
    bad = replace(MMSE, threshold="max", v_init="zero", granularity="layer")
    monkeypatch.setattr(contest, "contenders", lambda config: {"bad": bad, "mmse": MMSE})
    config, scores = held(model, images, AUTO)
    assert config == MMSE
    assert [s.recipe for s in scores] == ["mmse", "bad"]


@pytest.mark.parametrize(
    ("shares", "first"),
    [
        ((0.5, 0.5), "small"),  # equal
        ((31 / 32, 1.0), "small"),  # one sample of 32 says nothing
        ((0.5, 0.55), "small"),
        ((0.5, 0.75), "large"),  # eight do
        ((0.1, 1.0), "large"),
    ],
)
def test_chance_is_decided_by_the_error(shares, first):
    small, large = (
        contest.Score(name, share, error, 32)
        for name, share, error in zip(("small", "large"), shares, (0.1, 0.9), strict=True)
    )
    for scores in ((small, large), (large, small)):
        assert contest.best_first(scores)[0].recipe == first


def test_memory_does_not_matter(model, images, monkeypatch):
    """Samples are judged in parts where all at once are too many."""
    whole = held(model, images, AUTO)[1]
    monkeypatch.setattr(contest, "bytes_per_sample", lambda *_: contest.layerwise.BUDGET // 5)
    parts = held(model, images, AUTO)[1]
    assert [s.agreement for s in parts] == [s.agreement for s in whole]
    np.testing.assert_allclose([s.error for s in parts], [s.error for s in whole], rtol=1e-4)


def test_too_few_samples_are_not_divided(model, images):
    assert held(model, images[: contest.LEAST - 1], AUTO) == (AUTO, ())
    assert len(held(model, images[: contest.LEAST], AUTO)[1]) == 2


def test_conversion_tells_who_won(model, images):
    result = convert(model, 8, calibration_data=images)
    (said,) = [d for d in result.diagnostics if d.code == "RECIPE_CHOSEN"]
    assert said.severity == "info"
    assert "regression" in said.why
    assert "mmse" in said.why
    assert "64 calibration samples" in said.why
    (winner,) = [name for name in ("regression", "mmse") if f"recipe {name} " in said.what]
    named = convert(model, 8, calibration_data=images, recipe=winner)
    assert "RECIPE_CHOSEN" not in {d.code for d in named.diagnostics}
    assert result.plan.config.weights == named.plan.config.weights
    for one, other in zip(result.plan.neurons, named.plan.neurons, strict=True):
        np.testing.assert_array_equal(one.threshold, other.threshold)


def test_the_winner_is_what_is_converted(model, images, monkeypatch):
    monkeypatch.setattr(contest, "contenders", lambda config: {"mmse": MMSE, "same": MMSE})
    result = convert(model, 8, calibration_data=images)
    assert result.plan.config.threshold == "mmse"
    assert result.plan.corrections == ()


def test_report_names_all():
    text = str(report([contest.Score("a", 0.5, 0.1, 8), contest.Score("b", 0.25, 0.2, 8)]))
    assert "a 50.0 % (10 %), b 25.0 % (20 %)" in text
