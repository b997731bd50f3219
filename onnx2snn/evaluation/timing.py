"""How long a simulation takes on every backend, beside the source network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.errors import BackendError, ConfigError, ModelFileError, naming
from onnx2snn.evaluation.peak_memory import Task, peak_memory
from onnx2snn.evaluation.source_network import fixed_batch
from onnx2snn.frontend.runnable import runnable
from onnx2snn.plan import Progress
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.memory import GIB

Feeds: TypeAlias = Mapping[str, npt.NDArray[Any]]
#: Tells seconds.
Clock: TypeAlias = Callable[[], float]

#: Batches among which the source network's best is searched, and runs of each.
BATCHES, TRIES = (1, 2, 4, 8, 16, 32, 64), 3
SOURCE = "source"


@dataclass(frozen=True)
class SpikingTask:
    """Simulate samples with one backend; arguments as of :class:`SpikingSession`."""

    model: str
    feeds: Feeds
    timesteps: int
    backend: str
    options: BackendOptions
    memory: int = GIB
    batch: int | None = None

    def load(self) -> Callable[[], object]:
        """The simulation, loaded."""
        session = SpikingSession(
            self.model,
            backend=self.backend,
            providers=self.options.providers,
            threads=self.options.threads,
            memory=self.memory,
        )
        return lambda: session.run(self.feeds, self.timesteps, batch_size=self.batch)


@dataclass(frozen=True)
class SourceTask:
    """Run the source network on samples, ``batch`` at once."""

    model: str
    feeds: Feeds
    batch: int
    options: BackendOptions

    def load(self) -> Callable[[], object]:
        """The network, loaded."""
        with naming(self.model, ModelFileError, BackendError):
            ann = runnable(self.model)
            executable = StockExecutable(ann, self.options)
        names = [o.name for o in ann.graph.output]
        starts = range(0, self.samples, self.batch)
        parts = [{k: v[i : i + self.batch] for k, v in self.feeds.items()} for i in starts]
        return lambda: [executable.run(names, part) for part in parts]

    @property
    def samples(self) -> int:
        """Samples of one run."""
        return _count(self.feeds)

    def whole_batches(self, feeds: Feeds) -> SourceTask:
        """The same on these samples, the first ones again until the last batch is full."""
        full = -(-_count(feeds) // self.batch) * self.batch
        return replace(self, feeds=_repeated(feeds, full))


@dataclass(frozen=True)
class Spread:
    """Seconds for one sample, over the repetitions."""

    median: float
    smallest: float
    largest: float


@dataclass(frozen=True)
class Cost:
    """What a sample costs.

    Attributes:
        seconds: for one sample.
        peak_memory: bytes above the loaded model, for all samples of a run; None if unknown.
        batch: samples at once; None where the session decides.
    """

    seconds: Spread
    peak_memory: int | None
    batch: int | None


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        timesteps: T.
        samples: simulated in every repetition.
        backends: by backend.
        source: of one inference of the source network at its best batch; None without one.
    """

    timesteps: int
    samples: int
    backends: dict[str, Cost]
    source: Cost | None

    def inferences(self, backend: str) -> float | None:
        """Inferences of the source network that take as long as one sample's simulation."""
        if self.source is None:
            return None
        return self.backends[backend].seconds.median / self.source.seconds.median


def bench(
    tasks: Mapping[str, SpikingTask],
    *,
    ann: str | None = None,
    repetitions: int = 5,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter,
) -> Bench:
    """Time simulations and the source network, one after the other in every repetition.

    Args:
        tasks: what to simulate, by backend; all of the same file, samples and T.
        ann: file of the source network.
        repetitions: after one run that does not count.
        progress: called with (what is done, steps done, steps in all).
        clock: tells seconds; ``time.process_time`` would be those of the CPU.

    Raises:
        ConfigError: no task or no repetition is asked for.
        ModelFileError: a file cannot be read, or the source network takes other inputs.
        DataError: the samples do not fit.
        TimestepsError: the file is made for another T.
        BackendError: a backend cannot execute its task.
    """
    if not tasks or repetitions < 1:
        raise ConfigError("there is nothing to measure")
    first = next(iter(tasks.values()))
    samples = _count(first.feeds)
    alone: dict[str, Task] = dict(tasks)
    source = None if ann is None else best_source(ann, first.feeds, first.options, progress, clock)
    if source is not None:
        whole = source.whole_batches(first.feeds)
        alone[SOURCE] = whole
    seconds = interleaved(alone, repetitions, progress, clock)
    backends = {
        name: Cost(_spread(seconds[name], samples), peak_memory(task), task.batch)
        for name, task in tasks.items()
    }
    if source is None:
        return Bench(first.timesteps, samples, backends, None)
    spread = _spread(seconds[SOURCE], whole.samples)
    return Bench(
        first.timesteps, samples, backends, Cost(spread, peak_memory(source), source.batch)
    )


def interleaved(
    tasks: Mapping[str, Task],
    repetitions: int,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every run: all tasks once in each repetition, so that a busy machine hits all.

    A first round is not counted.
    """
    runs = {name: task.load() for name, task in tasks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for i in range(repetitions + 1):
        for name, run in runs.items():
            started = clock()
            run()
            if i:
                seconds[name].append(clock() - started)
        if progress:
            progress("measure", i + 1, repetitions + 1)
    return seconds


def best_source(
    ann: str,
    feeds: Feeds,
    options: BackendOptions,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter,
) -> SourceTask:
    """One batch of the source network, of the size at which a sample takes the least time.

    Raises:
        ModelFileError: it cannot be read, or takes other inputs.
        BackendError: onnxruntime cannot run it.
    """
    with naming(ann, ModelFileError):
        fixed = fixed_batch(runnable(ann), feeds)
    sizes = BATCHES if fixed is None else (fixed,)
    tasks = {size: SourceTask(ann, _repeated(feeds, size), size, options) for size in sizes}
    if fixed is not None:
        return tasks[fixed]
    fastest = {}
    for i, (size, task) in enumerate(tasks.items()):
        seconds = interleaved({SOURCE: task}, TRIES, clock=clock)[SOURCE]
        fastest[size] = min(seconds) / size
        if progress:
            progress("best batch", i + 1, len(tasks))
    return tasks[min(fastest, key=fastest.__getitem__)]


def _count(feeds: Feeds) -> int:
    return len(next(iter(feeds.values())))


def _repeated(feeds: Feeds, samples: int) -> Feeds:
    """So many samples: the same ones again where there are fewer."""
    return {name: np.resize(v, (samples, *v.shape[1:])) for name, v in feeds.items()}


def _spread(seconds: list[float], samples: int) -> Spread:
    each = [s / samples for s in seconds]
    return Spread(statistics.median(each), min(each), max(each))
