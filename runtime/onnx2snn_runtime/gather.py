"""From the windows of all batches to what a session gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn_runtime.carry import Window
from onnx2snn_runtime.errors import ModelFileError
from onnx2snn_runtime.results import Observation, Trace
from onnx2snn_runtime.settling import last_active_step

Array: TypeAlias = npt.NDArray[Any]
#: For every batch: its number of samples, and its windows one after the other.
Batches: TypeAlias = Iterable[tuple[int, Iterable[Window]]]


def last_values(windows: Iterable[Window]) -> list[Array]:
    """The outputs of the last window."""
    for values, _ in windows:
        last = values
    return last


def gather_observation(
    batches: Batches,
    outputs: Sequence[str],
    populations: Sequence[str],
    timesteps: int,
    *,
    every_step: bool,
) -> Observation:
    """Answers and activity.

    Args:
        batches: values are the outputs, then the activity of each population, [T·N].
        outputs: their names.
        populations: their names.
        timesteps: T of all windows together.
        every_step: whether outputs have rows for every step; else the last window's count.
    """
    answers: list[list[Array]] = [[] for _ in outputs]
    fired, settled = np.zeros((len(populations), timesteps)), []
    for samples, windows in batches:
        columns = list(zip(*(values for values, _ in windows), strict=True))
        for kept, parts in zip(answers, columns, strict=False):
            shown = parts if every_step else parts[-1:]
            kept.append(np.concatenate([v.reshape(-1, samples, *v.shape[1:]) for v in shown]))
        rows = [np.concatenate(parts) for parts in columns[len(outputs) :]]
        activity = np.array(rows).reshape(len(populations), timesteps, samples)
        fired += activity.sum(axis=2, dtype=np.float64)
        settled.append(last_active_step(activity))
    steps = np.concatenate(settled)
    return Observation(
        {n: np.concatenate(parts, axis=1) for n, parts in zip(outputs, answers, strict=True)},
        {p: row / len(steps) for p, row in zip(populations, fired, strict=True)},
        steps,
    )


def gather_trace(batches: Batches, populations: Sequence[str], file: str | None) -> Trace:
    """Spike trains and final potentials.

    Args:
        batches: values are spikes and final potential of each population in turn.
        populations: their names.
        file: the model's file, for messages.

    Raises:
        ModelFileError: spikes are NaN or infinite.
    """
    spikes: dict[str, list[Array]] = {name: [] for name in populations}
    finals: dict[str, list[Array]] = {name: [] for name in populations}
    for samples, windows in batches:
        trains: dict[str, list[Array]] = {name: [] for name in populations}
        for values, _ in windows:
            for i, name in enumerate(populations):
                rows = _sound(values[2 * i], name, file)
                train = rows.reshape(-1, samples, *rows.shape[1:]).astype(np.int8)
                trains[name].append(train)
        for i, name in enumerate(populations):
            spikes[name].append(np.concatenate(trains[name]))
            finals[name].append(values[2 * i + 1])
    return Trace(
        {n: np.concatenate(parts, axis=1) for n, parts in spikes.items()},
        {n: np.concatenate(parts) for n, parts in finals.items()},
    )


def _sound(spikes: Array, name: str, file: str | None) -> Array:
    """Spikes, if they are numbers.

    Raises:
        ModelFileError: they are not; a weight or a potential was NaN, or grew beyond float32.
    """
    if not np.isfinite(spikes).all():
        raise ModelFileError(
            "spikes are NaN or infinite", file=file, node=f"'{name}'", remedy="convert again"
        )
    return spikes
