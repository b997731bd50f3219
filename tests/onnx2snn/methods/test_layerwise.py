"""The walk with all stages, on a small network with every kind of joint."""

from dataclasses import replace

import numpy as np
import pytest

from onnx2snn.calibration import collect_statistics, open_dataset
from onnx2snn.calibration.signals import Constant, Train
from onnx2snn.calibration.walker import Walk
from onnx2snn.emit import emit
from onnx2snn.errors import ConfigError
from onnx2snn.frontend import canonicalise
from onnx2snn.methods import (
    BIASES,
    POTENTIALS,
    THRESHOLDS,
    WEIGHTS,
    calibrate_layers,
    plan_neurons,
    walks,
)
from onnx2snn.methods import layerwise as room
from onnx2snn.methods.forward import agreement, simulate_plan
from onnx2snn.methods.threshold import search
from onnx2snn.methods.work import Work
from onnx2snn.plan import ConversionConfig, ConversionPlan
from onnx2snn.sites import find_sites
from onnx2snn.sites.segments import find_segments
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.inputs import tensor_info

BEST = {
    "threshold": "search",
    "v_init": "calibrate",
    "bias": "calibrate",
    "weights": "calibrate-ls",
}


def network(net, pool="AveragePool"):
    """A shortcut, a depthwise layer, a pool and a concat."""
    x = net.input(shape=("N", 2, 8, 8))
    x = net.relu(net.conv(x, (4, 2, 3, 3), bias=True, pads=[1] * 4), name="one")
    y = net.relu(net.conv(x, (4, 1, 3, 3), bias=True, pads=[1] * 4, group=4), name="two")
    y = net.node("Add", net.conv(y, (4, 4, 1, 1), bias=True), x)
    x = net.relu(y, name="three")
    x = net.node(pool, x, kernel_shape=[2, 2], strides=[2, 2], name="pool")
    other = net.node("Clip", net.conv(x, (2, 4, 1, 1)), net.const(0.0), net.const(0.8), name="four")
    x = net.node("Concat", x, other, axis=1)
    x = net.relu(net.gemm(net.node("Flatten", x), (96, 10)), name="five")
    return net.model(net.gemm(x, (10, 5)))


class Case:
    """A network with data, and what the room makes of it."""

    def __init__(self, model, avgpool="linear", samples=32):
        self.canonical = canonicalise(model)
        self.sites = find_sites(
            self.canonical, avgpool=avgpool, keep_analog=frozenset(), diagnostics=[]
        )
        self.segments = find_segments(self.canonical, self.sites, ())
        self.model = self.canonical.to_model()
        infos = tuple(tensor_info(i) for i in self.model.graph.input)
        images = np.random.default_rng(0).normal(0, 1, (samples, 2, 8, 8)).astype(np.float32)
        self.images = {"x": images}
        self.dataset = open_dataset(self.images, infos)
        sites = [s for s in self.sites if not s.is_pool]
        self.statistics = collect_statistics(self.model, sites, self.dataset, percentile=99.9)

    def start(self, config):
        return plan_neurons(self.sites, self.statistics, config, [])[0]

    def calibrate(self, config, progress=None):
        said = []
        found = calibrate_layers(
            self.segments, self.start(config), self.dataset, config, said, progress
        )
        return found, said

    def error(self, neurons, corrections, timesteps):
        """Of the network's output, relative to its size."""
        [(source, plan)] = simulate_plan(
            self.segments, neurons, corrections, self.images, timesteps
        ).values()
        return float(np.square(plan - source).sum() / np.square(source).sum())


@pytest.fixture(scope="module")
def case(new_net):
    return Case(network(new_net()))


def config(**options):
    return ConversionConfig(**{"timesteps": 4, "avgpool": "linear", "threshold": "mmse", **options})


@pytest.mark.parametrize(
    ("neuron", "avgpool", "pool"),
    [
        ("if", "linear", "AveragePool"),
        ("if", "spiking", "AveragePool"),
        ("signed-if", "spiking", "AveragePool"),
        ("signed-if", "spiking", "MaxPool"),
        ("asg", "linear", "AveragePool"),
        ("asg", "spiking", "MaxPool"),
        # A spiking average pool hears the order of spikes, which an asg's counts do not tell.
    ],
)
def test_emitted_network_answers_as_the_walk(neuron, avgpool, pool, new_net):
    """Everything that calibration found is in the file, and the file does what it expected."""
    made = Case(network(new_net(), pool), avgpool, samples=24)
    wanted = config(**BEST, neuron=neuron, avgpool=avgpool)
    found, _ = made.calibrate(wanted)
    plan = ConversionPlan(
        made.canonical.source.digest,
        wanted,
        made.sites,
        found.neurons,
        timesteps_fixed=True,
        corrections=found.corrections,
    )
    model, _ = emit(made.canonical, ConversionPlan.from_json(plan.to_json()))
    [out] = SpikingSession(model).run(made.images).values()
    [(_, expected)] = simulate_plan(
        made.segments, found.neurons, found.corrections, made.images, 4
    ).values()
    same = np.isclose(out, expected, rtol=1e-3, atol=1e-4).all(axis=1)
    assert same.mean() > 0.8  # near ties of float32 may fall either way


@pytest.mark.parametrize("neuron", ["if", "signed-if", "asg"])
def test_all_stages_together(neuron, case):
    wanted = config(**BEST, neuron=neuron)
    found, _ = case.calibrate(wanted)
    before = case.error(case.start(wanted), (), 4)
    assert case.error(found.neurons, found.corrections, 4) < 0.7 * before


@pytest.mark.parametrize(
    "stage",
    [
        {"bias": "calibrate"},
        {"v_init": "calibrate"},
        {"weights": "calibrate-ls"},
        {"weights": "calibrate-sgd"},
        {"threshold": "search"},
    ],
    ids=str,
)
def test_each_stage_alone(stage, case):
    """Every one of them is better than the start it is given."""
    wanted = config(**stage)
    found, _ = case.calibrate(wanted)
    assert case.error(found.neurons, found.corrections, 4) < case.error(case.start(wanted), (), 4)


@pytest.mark.parametrize("potential", ["ic-weights", "ic-data", "ic-compensated"])
def test_potentials_of_ic_snn(potential, case):
    """All of them are better than the zero potential."""
    found, _ = case.calibrate(config(v_init=potential))
    zero = case.start(config(v_init="zero"))
    assert case.error(found.neurons, found.corrections, 4) < case.error(zero, (), 4)
    for neuron in found.neurons:
        assert (neuron.v_init >= 0).all()
        assert neuron.provenance["v_init"] == potential


def test_thresholds_by_current(case):
    """The largest mean is no larger than the largest step, and both bound the activations."""
    largest, mean = (
        case.calibrate(config(threshold=name, v_init="zero"))[0].neurons
        for name in ("spike-norm", "rmp")
    )
    for one, other in zip(largest, mean, strict=True):
        if one.site != "one":  # those behind hear different spikes
            continue
        np.testing.assert_allclose(one.threshold, other.threshold, rtol=1e-5)
    assert all((n.threshold > 0).all() for n in (*largest, *mean))


def test_ctt_meets_its_twin(case):
    """Mean activities come closer to the twin's, whatever that is."""
    start = {n.site: n for n in case.start(config(threshold="ctt"))}
    walk = Walk(case.segments, case.images, 4, 4)
    moved = 0
    for view in walk:
        if view.site is None:
            walk.settle(view, Constant(view.means()[view.segment.output], 4))
            continue
        work = Work(view, view.site, start[view.site.name], twin=0.8 * view.wanted)
        after = THRESHOLDS.get("ctt").refine(work, config())
        gaps = [
            np.abs(w.per_channel(w.outcome.rate * w.amplitude - work.twin)).mean()
            for w in (work, after)
        ]
        assert gaps[1] <= gaps[0] * 1.05
        moved += gaps[1] < 0.7 * gaps[0]
        np.testing.assert_array_equal(after.amplitude, work.amplitude)
        walk.settle(view, Train(work.outcome.spikes, work.amplitude))
    assert moved >= 2


def test_charge_that_arrives_later_helps(case, monkeypatch):
    """The search that may move charge in time ends with less error than the one that may not."""

    def errors():
        start = {n.site: n for n in case.start(config(threshold="search"))}
        walk = Walk(case.segments, case.images, 4, 4)
        found = []
        for view in walk:
            if view.site is None:
                walk.settle(view, Constant(view.means()[view.segment.output], 4))
                continue
            work = Work(view, view.site, start[view.site.name])
            found.append(THRESHOLDS.get("search").refine(work, config()).error)
            walk.settle(view, Train(work.outcome.spikes, work.amplitude))
        return np.array(found)

    free = errors()
    monkeypatch.setattr(search, "STEPS", (search.STEPS[0], search.STEPS[1], 0.0))
    bound = errors()
    assert (free <= bound * 1.02).all()
    assert free.sum() < 0.99 * bound.sum()


def test_layer_granularity(case):
    for name in ("search", "ctt", "spike-norm", "rmp"):
        found, _ = case.calibrate(config(threshold=name, granularity="layer", bias="calibrate"))
        assert {n.threshold.size for n in found.neurons} == {1}


def test_deterministic(case):
    one, two = (case.calibrate(config(**BEST))[0] for _ in range(2))
    for first, second in zip(one.neurons, two.neurons, strict=True):
        np.testing.assert_array_equal(first.threshold, second.threshold)
        np.testing.assert_array_equal(first.v_init, second.v_init)
    for a, b in zip(one.corrections, two.corrections, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)


def test_stages_tell_what_they_set(case):
    found, _ = case.calibrate(config(**BEST))
    told = next(n for n in found.neurons if n.site == "two").provenance
    assert told["threshold"].startswith("search of 32 samples")
    assert told["weights"] == "calibrate-ls"
    assert told["v_init"] in {"search", "calibrate"}
    assert {c.layer for c in found.corrections} == {
        layer.node for s in case.segments for layer in s.layers if s.inputs != ("x",)
    }


def test_mirrored_copies_are_samples_too(case):
    """Augmented images are what twice the data would be."""
    options = {"neuron": "asg", "threshold": "mmse", "weights": "calibrate-ls"}
    start = case.start(config(**options))
    x = case.images["x"]
    both = np.stack([x, x[..., ::-1]], axis=1).reshape(-1, *x.shape[1:])
    data = open_dataset({"x": both}, tuple(case.dataset.infos.values()))
    found = calibrate_layers(
        case.segments, start, case.dataset, config(**options, augment="flip-crop"), []
    )
    doubled = calibrate_layers(case.segments, start, data, config(**options), [])
    for one, two in zip(found.corrections, doubled.corrections, strict=True):
        np.testing.assert_array_equal(one.weight, two.weight)
    assert {n.provenance["augment"] for n in found.neurons if n.threshold is not None} == {
        "flip-crop"
    }
    assert not any("augment" in n.provenance for n in doubled.neurons)


@pytest.mark.parametrize(("neuron", "copied"), [("if", False), ("asg", True)])
def test_long_windows_see_no_copies(case, neuron, copied):
    """Where every step is simulated, they would cost more than they gain."""
    asked = config(timesteps=32, bias="calibrate", neuron=neuron, augment="flip-crop")
    start = case.start(asked)
    found = calibrate_layers(case.segments, start, case.dataset, asked, [])
    told = ["augment" in n.provenance for n in found.neurons if n.threshold is not None]
    assert set(told) == {copied}


def test_progress_names_layers_and_errors(case):
    told = []
    found, _ = case.calibrate(config(bias="calibrate"), lambda *a: told.append(a))
    assert [t[1] for t in told] == list(range(1, len(case.segments) + 1))
    assert {t[2] for t in told} == {len(case.segments)}
    assert any("three: error" in t[0] and "%" in t[0] for t in told)
    assert set(found.errors) == {"one", "two", "three", "four", "five"}


def test_memory_limits_samples(case, monkeypatch):
    monkeypatch.setattr(room, "BUDGET", 200_000)
    found, said = case.calibrate(config(bias="calibrate"))
    assert [d.code for d in said] == ["FEWER_SAMPLES"]
    assert "of 32 samples" in said[0].what
    assert len(found.neurons) == len(case.sites)


@pytest.mark.parametrize("timesteps", [1, 2])
def test_short_windows_and_one_sample(timesteps, new_net):
    made = Case(network(new_net()), samples=1)
    found, _ = made.calibrate(config(**BEST, timesteps=timesteps))
    for neuron in found.neurons:
        for values in (neuron.threshold, neuron.v_init, neuron.amplitude):
            assert np.isfinite(values).all()
        assert (neuron.threshold > 0).all()
    for correction in found.corrections:
        assert np.isfinite(correction.weight).all()


@pytest.mark.parametrize(
    "stage",
    [BEST, {"threshold": "ctt"}, {"weights": "calibrate-sgd"}, {"v_init": "ic-data"},
     {"threshold": "rmp"}, {"threshold": "spike-norm"}, {"v_init": "ic-weights"}],
    ids=str,
)  # fmt: skip
def test_silent_channels_and_weights(stage, new_net):
    """Layers without any effect: no division by zero, and silence stays silence."""
    net = new_net()
    dead = net.const(np.zeros((3, 2, 1, 1)))
    x = net.relu(net.node("Conv", net.input(shape=("N", 2, 8, 8)), dead), name="one")
    x = net.relu(net.conv(x, (3, 3, 1, 1)), name="two")
    made = Case(net.model(net.conv(x, (2, 3, 1, 1))), samples=4)
    found, _ = made.calibrate(config(**stage))
    for neuron in found.neurons:
        assert np.isfinite(neuron.v_init).all()
        assert (neuron.threshold > 0).all()
        assert not neuron.amplitude.any()


def test_unknown_simulations_are_refused(case):
    with pytest.raises(ConfigError) as error:
        case.calibrate(config(bias="calibrate", neuron="signed-if", reset="zero"))
    assert "signed-if" in str(error.value)
    assert "if with reset zero" in str(error.value)


def test_who_walks():
    assert not walks(ConversionConfig())
    assert not walks(ConversionConfig(bias="shift"))
    for options in (
        {"bias": "calibrate"},
        {"v_init": "calibrate"},
        {"weights": "calibrate-ls"},
        {"threshold": "ctt"},
    ):
        assert walks(replace(ConversionConfig(), **options))


def test_registries_describe_themselves():
    for registry in (BIASES, POTENTIALS, THRESHOLDS, WEIGHTS):
        for name in registry.names():
            method = registry.get(name)
            assert method.name == name
            assert method.summary
            assert "\n" not in method.summary


def test_agreement():
    source = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert agreement({"a": (source, source[::-1]), "b": (source, source)}) == 0.5


@pytest.mark.parametrize("pool", [False, True])
def test_a_population_may_be_the_result(pool, new_net):
    """A network that ends in spikes: their mean is what it answers."""
    net = new_net()
    x = net.relu(net.conv(net.input(shape=("N", 2, 8, 8)), (3, 2, 3, 3)), name="one")
    if pool:
        x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], name="pool")
    made = Case(net.model(x), "spiking" if pool else "linear", samples=8)
    assert made.segments[-1].is_result
    neurons = made.start(config(timesteps=64))
    [(source, plan)] = simulate_plan(made.segments, neurons, (), made.images, 64).values()
    assert source.shape == plan.shape
    np.testing.assert_allclose(plan, source, atol=0.1 * source.max())
