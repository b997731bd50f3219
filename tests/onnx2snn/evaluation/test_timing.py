"""Timing with a clock of our own: what is counted, in which order, and the best batch."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from onnx2snn import convert
from onnx2snn.errors import ConfigError, ModelFileError
from onnx2snn.evaluation import timing
from onnx2snn.evaluation.timing import (
    BATCHES,
    Bench,
    Cost,
    SourceTask,
    SpikingTask,
    Spread,
    bench,
    best_source,
    interleaved,
)
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions

ONE = BackendOptions(threads=1)


class Clock:
    """A clock that stands still unless somebody moves it."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def taking(clock, log, name, durations):
    """A task whose runs take these times, one after the other."""
    left = iter(durations)

    def run():
        log.append(name)
        clock.now += next(left)

    return SimpleNamespace(load=lambda: run)


def test_interleaved(clock):
    log, seen = [], []
    tasks = {
        "a": taking(clock, log, "a", [100, 1, 2, 3]),
        "b": taking(clock, log, "b", [200, 4, 5, 6]),
    }
    seconds = interleaved(tasks, 3, lambda *call: seen.append(call), clock)
    assert seconds == {"a": [1, 2, 3], "b": [4, 5, 6]}
    assert log == ["a", "b"] * 4
    assert seen == [("measure", i, 4) for i in (1, 2, 3, 4)]


@pytest.fixture
def network(new_net, tmp_path):
    """A file with a small network of a given batch, and its spiking file."""

    def make(batch="N"):
        net = new_net()
        layer = net.relu(net.conv(net.input("x", (batch, 2, 6, 6)), (3, 2, 3, 3)))
        model = net.model(net.gemm(net.node("Flatten", layer), (48, 4)))
        source, spiking = str(tmp_path / "ann.onnx"), str(tmp_path / "snn.onnx")
        onnx.save(model, source)
        data = np.random.default_rng(0).normal(size=(12, 2, 6, 6)).astype(np.float32)
        convert(source, 4, threshold="max", calibration_data=data).save(spiking)
        return source, spiking, {"x": data}

    return make


def test_tasks_do_what_they_say(network):
    source, spiking, feeds = network()
    simulated = SpikingTask(spiking, feeds, 3, "stock", ONE).load()()
    want = SpikingSession(spiking, backend="stock").run(feeds, 3)
    (name,) = want
    np.testing.assert_array_equal(simulated[name], want[name])
    parts = SourceTask(source, feeds, 5, ONE).load()()
    assert [len(part[0]) for part in parts] == [5, 5, 2]
    whole = SourceTask(source, feeds, 12, ONE).load()()
    filled = SourceTask(source, {}, 5, ONE).whole_batches(feeds)
    assert filled.samples == 15
    np.testing.assert_array_equal(filled.feeds["x"][12:], feeds["x"][:3])
    np.testing.assert_allclose(np.concatenate([p[0] for p in parts]), whole[0][0], rtol=1e-5)


@pytest.mark.parametrize("best", BATCHES)
def test_the_best_batch_is_that_of_the_least_time_for_a_sample(network, monkeypatch, clock, best):
    source, _, feeds = network()

    def run(task):
        assert len(task.feeds["x"]) == task.batch
        clock.now += task.batch * (1 if task.batch == best else 2)

    monkeypatch.setattr(SourceTask, "load", lambda task: partial(run, task))
    found = best_source(source, feeds, ONE, clock=clock)
    assert found.batch == best
    # Samples are repeated where there are fewer.
    np.testing.assert_array_equal(found.feeds["x"], feeds["x"][np.arange(best) % 12])


def test_a_fixed_batch_is_the_best(network):
    source, _, feeds = network(batch=3)
    found = best_source(source, feeds, ONE)
    assert found.batch == 3
    np.testing.assert_array_equal(found.feeds["x"], feeds["x"][:3])


def test_bench(network, monkeypatch, clock):
    source, spiking, feeds = network(batch=5)

    def load(seconds):
        def run():
            clock.now += seconds.pop(0)

        return run

    # Twelve samples are three batches of five.
    monkeypatch.setattr(SourceTask, "load", lambda _: load([9, 15, 30, 45]))
    monkeypatch.setattr(
        SpikingTask, "load", lambda task: load([9, 24, 48, 36] if task.batch else [9, 12, 12, 12])
    )
    monkeypatch.setattr(timing, "peak_memory", lambda task: len(task.feeds["x"]))
    tasks = {
        "cut": SpikingTask(spiking, feeds, 6, "stock", ONE, batch=2),
        "whole": SpikingTask(spiking, feeds, 6, "stock", ONE),
    }
    result = bench(tasks, ann=source, repetitions=3, clock=clock)
    assert result == Bench(
        timesteps=6,
        samples=12,
        backends={
            "cut": Cost(Spread(3, 2, 4), 12, 2),
            "whole": Cost(Spread(1, 1, 1), 12, None),
        },
        source=Cost(Spread(2, 1, 3), 5, 5),
    )
    assert (result.inferences("cut"), result.inferences("whole")) == (1.5, 0.5)


def test_without_a_source(network):
    _, spiking, feeds = network()
    task = SpikingTask(spiking, feeds, 4, "stock", ONE)
    result = bench({"stock": task}, repetitions=1)
    assert result.source is None
    assert result.inferences("stock") is None
    assert result.backends["stock"].seconds.median > 0


def test_nothing_to_measure(network):
    _, spiking, feeds = network()
    with pytest.raises(ConfigError):
        bench({})
    with pytest.raises(ConfigError):
        bench({"stock": SpikingTask(spiking, feeds, 4, "stock", ONE)}, repetitions=0)


def test_a_source_of_other_inputs_names_its_file(network, tmp_path, new_net):
    _, spiking, feeds = network()
    net = new_net()
    other = str(tmp_path / "other.onnx")
    onnx.save(net.model(net.relu(net.input("z"))), other)
    with pytest.raises(ModelFileError) as caught:
        bench({"stock": SpikingTask(spiking, feeds, 4, "stock", ONE)}, ann=other)
    assert caught.value.file == other
