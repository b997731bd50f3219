"""Accuracy over T, agreement with the source network, firing rates, wall-clock time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from onnx2snn.calibration import Dataset
from onnx2snn.errors import BackendError, ConfigError, DataError, ModelFileError, naming
from onnx2snn.evaluation.source_network import fixed_batch
from onnx2snn.plan import Progress
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable

Array: TypeAlias = npt.NDArray[Any]

#: Samples read at once; the session cuts them to its memory.
READ_SIZE = 64
ANN_BATCH = 32


@dataclass(frozen=True)
class Row:
    """The spiking network after T steps.

    Attributes:
        timesteps: T.
        accuracy: share of samples whose label is the largest output, or None without labels.
        agreement: share of samples on which source and spiking network choose alike, or None
            without a source.
    """

    timesteps: int
    accuracy: float | None
    agreement: float | None


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        samples: number of samples.
        rows: one for each T.
        ann_accuracy: of the source network, or None.
        rates: spikes per neuron and step, by population, at the largest T.
        snn_seconds: wall-clock time of simulating ``simulated_steps`` steps of every sample.
        ann_seconds: wall-clock time of the source network, or None.
        simulated_steps: steps simulated for each sample in all.
    """

    samples: int
    rows: tuple[Row, ...]
    ann_accuracy: float | None
    rates: dict[str, float]
    snn_seconds: float
    ann_seconds: float | None
    simulated_steps: int


def evaluate(
    session: SpikingSession,
    dataset: Dataset,
    *,
    timesteps: Sequence[int],
    ann: onnx.ModelProto | None = None,
    ann_name: str = "source network",
    progress: Progress | None = None,
) -> Evaluation:
    """Simulate a data set and compare with labels and with the source network.

    Where the network gives an answer after every step, one run at the largest T tells all; where
    an analog part waits for the window, every T is a run of its own.

    Args:
        session: the spiking network.
        dataset: samples, and labels if there are any.
        timesteps: the T of interest, ascending.
        ann: the source network.
        ann_name: its file, for messages.
        progress: called with (what is done, samples done, samples in all).

    Raises:
        ConfigError: no T given.
        DataError: samples and outputs do not fit, or labels are no class indices.
        ModelFileError: the source network takes other inputs than the spiking one.
        TimestepsError: the file is made for a T smaller than the largest of interest.
    """
    if not timesteps:
        raise ConfigError("no number of time steps is given")
    wanted = sorted(set(timesteps))
    labels = _labels(dataset)
    with naming(ann_name, ModelFileError, BackendError):
        ann_classes, ann_seconds = _run_ann(ann, dataset, progress)
    started = time.perf_counter()
    if session.is_anytime:
        classes, rates = _simulate(session, dataset, wanted, progress)
        steps = wanted[-1]
    else:
        runs = {t: _run_once(session, dataset, t, progress) for t in wanted}
        classes = {t: found for t, (found, _) in runs.items()}
        rates, steps = runs[wanted[-1]][1], sum(wanted)
    seconds = time.perf_counter() - started
    rows = tuple(
        Row(t, _share(classes[t], labels), _share(classes[t], ann_classes)) for t in wanted
    )
    return Evaluation(
        samples=len(dataset),
        rows=rows,
        ann_accuracy=None if ann_classes is None else _share(ann_classes, labels),
        rates=rates,
        snn_seconds=seconds,
        ann_seconds=ann_seconds,
        simulated_steps=steps,
    )


def evaluate_ann(
    ann: onnx.ModelProto, dataset: Dataset, progress: Progress | None = None
) -> float | None:
    """Accuracy of an ordinary network, or None without labels."""
    classes, _ = _run_ann(ann, dataset, progress)
    return None if classes is None else _share(classes, _labels(dataset))


def predicted(values: Array) -> Array:
    """The class of each sample: the largest output, or the output itself if it is a class.

    Raises:
        DataError: the output has no class axis.
    """
    if values.dtype.kind in "iu" and values.size == len(values):
        return values.reshape(-1).astype(np.int64)
    if values.ndim < 2:
        raise DataError(
            f"the first output has shape {list(values.shape)}, no class axis",
            remedy="only classifiers can be evaluated; see 'onnx2snn run'",
        )
    best: Array = values.reshape(len(values), -1).argmax(axis=1)
    return best.astype(np.int64)


def _simulate(
    session: SpikingSession, dataset: Dataset, wanted: Sequence[int], progress: Progress | None
) -> tuple[dict[int, Array], dict[str, float]]:
    largest = session.timesteps if session.timesteps_fixed else wanted[-1]
    largest = max(largest, wanted[-1])
    name = session.outputs[0].name
    classes: dict[int, list[Array]] = {t: [] for t in wanted}
    rates = dict.fromkeys(session.populations, 0.0)
    done = 0
    for feeds in dataset.batches(READ_SIZE):
        before = done

        def report(samples: int, _: int, before: int = before) -> None:
            if progress:
                progress("simulate", before + samples, len(dataset))

        seen = session.observe(feeds, largest, progress=report)
        for t in wanted:
            classes[t].append(predicted(seen.outputs[name][t - 1]))
        count = len(classes[wanted[0]][-1])
        for population, rate in seen.rates.items():
            rates[population] += float(rate[: wanted[-1]].mean()) * count
        done += count
    return (
        {t: np.concatenate(parts) for t, parts in classes.items()},
        {population: total / done for population, total in rates.items()},
    )


def _run_once(
    session: SpikingSession, dataset: Dataset, timesteps: int, progress: Progress | None
) -> tuple[Array, dict[str, float]]:
    name = session.outputs[0].name
    parts = []
    rates = dict.fromkeys(session.populations, 0.0)
    done = 0
    for feeds in dataset.batches(READ_SIZE):
        seen = session.totals(feeds, timesteps)
        parts.append(predicted(seen.outputs[name]))
        for population, rate in seen.rates.items():
            rates[population] += rate * len(parts[-1])
        done += len(parts[-1])
        if progress:
            progress(f"simulate T = {timesteps}", done, len(dataset))
    return np.concatenate(parts), {name: total / done for name, total in rates.items()}


def _run_ann(
    ann: onnx.ModelProto | None, dataset: Dataset, progress: Progress | None
) -> tuple[Array | None, float | None]:
    if ann is None:
        return None, None
    batch = fixed_batch(ann, dataset.infos) or ANN_BATCH
    executable = StockExecutable(ann, BackendOptions())
    name = ann.graph.output[0].name
    parts = []
    done = 0
    started = time.perf_counter()
    for feeds in dataset.batches(batch):
        parts.append(predicted(executable.run([name], feeds)[0]))
        done += len(parts[-1])
        if progress:
            progress("source network", done, len(dataset))
    return np.concatenate(parts), time.perf_counter() - started


def _labels(dataset: Dataset) -> Array | None:
    if dataset.labels is None:
        return None
    return np.concatenate(list(dataset.label_batches(READ_SIZE)))


def _share(classes: Array, truth: Array | None) -> float | None:
    return None if truth is None else float((classes == truth).mean())
