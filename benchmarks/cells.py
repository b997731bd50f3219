"""Measuring cells: convert with some options, simulate, compare with the source network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common import Network
from records import Record, Records, circumstances, key

from onnx2snn import convert
from onnx2snn.api import ConversionResult
from onnx2snn.calibration import open_dataset
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.evaluation import evaluate
from onnx2snn.frontend.runnable import runnable
from onnx2snn.methods import RECIPES
from onnx2snn_runtime import SpikingSession

#: Small batches stay in the processor's cache: twice as fast as large ones, for ResNet-20.
MEMORY = 32 << 20


@dataclass(frozen=True)
class Row:
    """One row of a table: some options on some network, for several T.

    Attributes:
        label: what the table says.
        network: the source.
        options: of the conversion.
        steps: the T.
        samples: test images.
    """

    label: str
    network: Network
    options: Mapping[str, Any]
    steps: tuple[int, ...]
    samples: int

    def cells(self, records: Records) -> Iterator[tuple[int, Record | None]]:
        """Every T with what was measured."""
        for t in self.steps:
            yield t, records.get(key(self.network.model.stem, self.options, t, self.samples))


def fill(rows: Sequence[Row], steps: Sequence[int], records: Records, *, again: bool) -> None:
    """Measure what is missing: all rows at the first T, then at the next.

    Args:
        rows: of all tables.
        steps: the T, the most wanted first.
        records: known cells; new ones are written at once.
        again: measure known cells anew.
    """
    circumstances()  # now, and not when files may have changed under a long run
    done: set[tuple[Any, ...]] = set()
    for t in steps:
        for row in rows:
            cell = key(row.network.model.stem, row.options, t, row.samples)
            if t not in row.steps or cell in done or (cell in records and not again):
                continue
            found = measure(row, t, sorted(set(row.steps) & set(steps)))
            records.add(found)
            done.update(r.key for r in found)
            for r in found:
                value = r.refusal or f"lost {r.lost:.1f}, {r.calibration_seconds:.0f} s"
                print(f"{row.network.model.stem}: {row.label}, T = {r.timesteps}: {value}")


def measure(row: Row, timesteps: int, wanted: Sequence[int]) -> list[Record]:
    """The cell at T; at every T that is wanted where the file is for any T."""
    base = {
        "network": row.network.model.stem,
        "options": dict(row.options),
        "samples": row.samples,
        **circumstances(),
    }
    try:
        result, seconds = _convert(row, timesteps)
        session = SpikingSession(result.model, threads=1, memory=MEMORY)
        told = [timesteps] if session.timesteps_fixed else wanted
        network = row.network
        test = open_dataset(network.test, session.inputs, network.preprocessing)
        measured = evaluate(
            session, test.subset(row.samples), timesteps=told, ann=runnable(network.model)
        )
    except Onnx2SnnError as error:
        return [Record(**base, timesteps=timesteps, refusal=error.what)]
    return [
        Record(
            **base,
            timesteps=r.timesteps,
            ann=measured.ann_accuracy,
            snn=r.accuracy,
            agreement=r.agreement,
            calibration_seconds=round(seconds, 1),
        )
        for r in measured.rows
    ]


def _convert(row: Row, timesteps: int) -> tuple[ConversionResult, float]:
    """The conversion and its CPU seconds."""
    recipe = RECIPES.get(row.options.get("recipe", "auto"))
    calibrates = not recipe.emission or "quantize" in row.options
    before = os.times()
    result = convert(
        row.network.model,
        timesteps,
        calibration_data=row.network.calibration if calibrates else None,
        preprocessing=row.network.preprocessing if calibrates else None,
        **row.options,
    )
    after = os.times()
    return result, after.user + after.system - before.user - before.system
