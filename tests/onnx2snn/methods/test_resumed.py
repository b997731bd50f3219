"""Calibration that was interrupted goes on where it was, and ends as if it had not been."""

from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn import Checkpoint, convert
from onnx2snn.errors import CheckpointError
from onnx2snn.methods import layerwise
from onnx2snn.methods.tuning import distill


class InterruptionError(Exception):
    """In place of the user's."""


def residual(net):
    """A shortcut around two layers, a pool, a result."""
    x = net.relu(net.conv(net.input(shape=("N", 2, 6, 6)), (4, 2, 3, 3), pads=[1] * 4), name="one")
    y = net.relu(net.conv(x, (4, 4, 3, 3), bias=True, pads=[1] * 4), name="two")
    y = net.node("Add", net.conv(y, (4, 4, 1, 1), bias=True), x)
    x = net.relu(y, name="three")
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], name="pool")
    return net.model(net.gemm(net.node("Flatten", x), (36, 5)))


def branches(net):
    """Two branches, concatenated, of which one goes on; an average pool."""
    x = net.relu(net.conv(net.input(shape=("N", 2, 6, 6)), (4, 2, 3, 3), pads=[1] * 4), name="one")
    x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], name="pool")
    y = net.node("Clip", net.conv(x, (3, 4, 1, 1)), net.const(0.0), net.const(0.8), name="two")
    x = net.relu(net.conv(net.node("Concat", x, y, axis=1), (4, 7, 1, 1), bias=True), name="three")
    x = net.node("Flatten", net.node("Concat", x, y, axis=1))
    return net.model(net.gemm(net.relu(net.gemm(x, (63, 8)), name="four"), (8, 5)))


def island(net):
    """An operator that has no gradient, between populations: the network cannot be tuned."""
    x = net.relu(net.conv(net.input(shape=("N", 2, 6, 6)), (3, 2, 3, 3)), name="one")
    x = net.node("Sigmoid", net.conv(x, (3, 3, 1, 1)))
    x = net.relu(net.conv(x, (3, 3, 1, 1)), name="two")
    return net.model(net.gemm(net.node("Flatten", x), (48, 5)))


NETWORKS = {"residual": residual, "branches": branches, "island": island}
CALIBRATIONS = {
    "contest": {"recipe": "auto", "timesteps": 8},
    "regression": {"recipe": "regression"},
    "rounded": {"recipe": "regression", "neuron": "signed-if", "weight_bits": 4},
    "tuned": {
        "recipe": "regression",
        "neuron": "asg",
        "avgpool": "linear",
        "tuning": "distill",
        "augment": "flip-crop",
    },
    "distilled": {"recipe": "distill", "neuron": "signed-if"},
    "distilled in time": {"recipe": "distill"},
    "twins": {"recipe": "yan2022-ctt"},
    "encoded": {"recipe": "regression", "encoding": "rate"},
    "counted": {"recipe": "regression", "readout": "count"},
}
IMAGES = np.random.default_rng(0).normal(0, 1, (48, 2, 6, 6)).astype(np.float32)


class Watch:
    """Converts, and writes down all reports of progress and every fit that begins ("fit …").

    Attributes:
        events: of the last conversion.
        fitted: names of populations whose fit has ended, of all conversions.
        stop: whether to interrupt, asked at every event.
    """

    def __init__(self):
        self.events, self.fitted = [], []
        self.stop = None

    def __call__(self, what, *_):
        self.events.append(what)
        if self.stop is not None and self.stop(self.events):
            raise InterruptionError

    def convert(self, model, options, checkpoint=None, stop=None):
        self.events, self.stop = [], stop
        given = {"timesteps": 4, **options}
        return convert(
            model, calibration_data=IMAGES, checkpoint=checkpoint, progress=self, **given
        )


@pytest.fixture(scope="module")
def watch():
    watch = Watch()
    stages = layerwise._stages

    def told(work, config):
        watch(f"fit {work.view.segment.name}")
        found = stages(work, config)
        watch.fitted.append(work.view.segment.name)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layerwise, "_stages", told)
        yield watch


@pytest.fixture(scope="module")
def models(new_net):
    return {name: make(new_net()) for name, make in NETWORKS.items()}


@pytest.fixture(scope="module")
def whole(watch, models):
    """By network and calibration: result, names fitted and events if nobody interrupts."""

    @cache
    def make(name, kind):
        watch.fitted = []
        result = watch.convert(models[name], CALIBRATIONS[kind])
        return result, watch.fitted, watch.events

    return make


def assert_same(one, other):
    """The plan with all its diagnostics, and the file, bit by bit."""
    assert one.plan.to_json() == other.plan.to_json()
    assert one.model == other.model


def tunings(events):
    return [e for e in events if e.startswith("tune")]


def third_fit(events):
    """Of populations one by one, or two steps of all together."""
    return sum(e.startswith(("fit", "tune")) for e in events) == 3


@pytest.mark.parametrize("kind", CALIBRATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_interrupted_again_and_again(name, kind, models, watch, whole, tmp_path):
    """All runs together fit as much as one that is left alone, and tune as much."""
    wanted, names, events = whole(name, kind)
    watch.fitted, runs, tuned = [], 0, []
    result = None
    while result is None:
        runs += 1
        with suppress(InterruptionError), Checkpoint(tmp_path / "a") as checkpoint:
            result = watch.convert(models[name], CALIBRATIONS[kind], checkpoint, third_fit)
        tuned += tunings(watch.events)
    assert_same(result, wanted)
    assert watch.fitted == names
    assert tuned == tunings(events)
    assert runs > len(names) // 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["contest", "tuned", "distilled"])
@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_interrupted_anywhere(name, kind, data, models, watch, whole, tmp_path_factory):
    """By the callback or in a fit, with or without the time to save."""
    wanted, names, events = whole(name, kind)
    file = tmp_path_factory.mktemp("anywhere") / "a"
    number = data.draw(st.integers(1, len(events)))
    killed = data.draw(st.booleans())
    watch.fitted = []

    def stop(told):
        return len(told) == number

    if killed:
        with pytest.raises(InterruptionError):
            watch.convert(models[name], CALIBRATIONS[kind], Checkpoint(file), stop)
    else:
        with pytest.raises(InterruptionError), Checkpoint(file) as checkpoint:
            watch.convert(models[name], CALIBRATIONS[kind], checkpoint, stop)
    first, tuned = list(watch.fitted), tunings(watch.events)
    with Checkpoint(file) as checkpoint:
        result = watch.convert(models[name], CALIBRATIONS[kind], checkpoint)
    assert_same(result, wanted)
    assert first == names[: len(first)]
    if not killed:
        assert watch.fitted == names
        assert tuned + tunings(watch.events) == tunings(events)
    assert not file.exists()


def test_after_tuning_nothing_is_tuned_again(models, watch, whole, tmp_path):
    wanted, _, events = whole("residual", "tuned")
    assert len(tunings(events)) == distill.MOST
    checkpoint = Checkpoint(tmp_path / "a")
    watch.convert(models["residual"], CALIBRATIONS["tuned"], checkpoint)
    checkpoint.save()
    result = watch.convert(models["residual"], CALIBRATIONS["tuned"], Checkpoint(tmp_path / "a"))
    assert_same(result, wanted)
    assert watch.events == [e for e in events if not e.startswith(("tune", "fit"))]


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ({"seed": 1}, "seed"),
        ({"samples": 40}, "calibration data, samples"),
        ({"calibration_data": IMAGES[::-1]}, "calibration data"),
        ({"timesteps": 5}, "timesteps"),
        ({"weights": "none"}, "weights"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_another_calibration_is_refused(change, differ, models, watch, tmp_path):
    file, model = tmp_path / "a", models["residual"]
    options = {"timesteps": 4, "recipe": "regression", "calibration_data": IMAGES}
    watch.stop = third_fit
    watch.events = []
    with suppress(InterruptionError), Checkpoint(file) as checkpoint:
        convert(model, checkpoint=checkpoint, progress=watch, **options)
    before = file.read_bytes()
    with pytest.raises(CheckpointError) as error, Checkpoint(file) as checkpoint:
        convert(model, checkpoint=checkpoint, **options | change)
    assert f"which differ: {differ}; " in str(error.value)
    assert file.read_bytes() == before


def test_another_model_is_refused(models, watch, tmp_path):
    checkpoint = Checkpoint(tmp_path / "a")
    with suppress(InterruptionError):
        watch.convert(models["residual"], CALIBRATIONS["contest"], checkpoint, third_fit)
    with pytest.raises(CheckpointError, match="which differ: model; "):
        watch.convert(models["branches"], CALIBRATIONS["contest"], checkpoint)
