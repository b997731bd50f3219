"""Measured cells, one JSON object a line: what was measured once is not measured again.

The file only grows. Of several records of one cell the last counts.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common import ROOT, cpu_name

PACKAGES = ("onnx", "onnxruntime", "numpy")
#: Network, options as JSON, T, number of test images.
Key = tuple[str, str, int, int]


@dataclass(frozen=True)
class Record:
    """One cell.

    Attributes:
        network: stem of the source's file name.
        options: of the conversion.
        timesteps: T.
        samples: test images.
        ann: accuracy of the source network on them, a share; None where nothing was converted.
        snn: of the spiking network after T steps.
        agreement: share of images on which both choose alike.
        calibration_seconds: CPU seconds of the conversion.
        refusal: why there is no spiking network; empty where there is one.
        date, commit, versions, machine: when and with what.
    """

    network: str
    options: Mapping[str, Any]
    timesteps: int
    samples: int
    ann: float | None = None
    snn: float | None = None
    agreement: float | None = None
    calibration_seconds: float | None = None
    refusal: str = ""
    date: str = ""
    commit: str = ""
    versions: str = ""
    machine: str = ""

    @property
    def key(self) -> Key:
        """What makes it this cell."""
        return key(self.network, self.options, self.timesteps, self.samples)

    @property
    def lost(self) -> float | None:
        """Points of accuracy lost against the source network."""
        return None if self.ann is None or self.snn is None else 100 * (self.ann - self.snn)


def key(network: str, options: Mapping[str, Any], timesteps: int, samples: int) -> Key:
    """The key of a cell."""
    return network, json.dumps(dict(options), sort_keys=True), timesteps, samples


class Records:
    """The records of one file.

    Args:
        path: need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.is_file() else []
        records = (Record(**json.loads(line)) for line in lines)
        self._known = {record.key: record for record in records}

    def __contains__(self, cell: Key) -> bool:
        return cell in self._known

    def __iter__(self) -> Iterator[Record]:
        return iter(self._known.values())

    def get(self, cell: Key) -> Record | None:
        """The record of a cell, if it was measured."""
        return self._known.get(cell)

    def add(self, records: Iterable[Record]) -> None:
        """Write them at once."""
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            for record in records:
                self._known[record.key] = record
                told = {k: v for k, v in asdict(record).items() if v not in (None, "")}
                file.write(json.dumps(told) + "\n")


@cache
def circumstances() -> dict[str, str]:
    """Date, commit, versions and machine, as a record holds them; of the process's first call."""
    return {
        "date": date.today().isoformat(),
        "commit": _commit(),
        "versions": ", ".join(f"{p} {version(p)}" for p in PACKAGES),
        "machine": f"{os.cpu_count()} CPUs ({cpu_name()})",
    }


def circumstances_of(records: Iterable[Record]) -> str:
    """One sentence on when and with what records were made."""
    known = list(records)
    dates = sorted({r.date for r in known})
    when = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "never"
    what = sorted({f"{r.machine}, {r.versions}" for r in known})
    return f"Measured {when}: {'; '.join(what)}. The commit of every cell is in the records."


def _commit() -> str:
    """The commit at work; with a plus where files of the packages differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "onnx2snn", "runtime")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
