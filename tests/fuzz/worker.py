"""A process that puts damaged files through the library, one after the other.

Reads tasks and writes answers, one JSON value a line: ``{"verb", "path", ...}`` in; "done",
"refused", or what is wrong out. A crash or a hang is for the parent to see.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from onnx2snn import ConversionPlan, convert, inspect
from onnx2snn.calibration import open_dataset
from onnx2snn.errors import Onnx2SnnError
from onnx2snn_runtime import SpikingSession

MEMORY = 2**30
#: What protects the machine; that the limit above was passed is seen later, and said.
MEMORY_GUARD = 3 * MEMORY
FATAL_ONLY = 4


class NamesNoFileError(AssertionError):
    """A message from which nobody learns which file is meant."""


def as_source(path: Path, task: dict[str, Any]) -> None:
    """Inspect, convert, and simulate what came out."""
    try:
        inspect(path)
        made = convert(path, task["timesteps"], samples=4, recipe=task["recipe"]).model
    except Onnx2SnnError as error:
        if error.file != str(path):
            raise NamesNoFileError(f"{type(error).__name__}: {error}") from error
        raise
    simulate(made, task)


def as_spiking(path: Path, task: dict[str, Any]) -> None:
    """Simulate and trace."""
    session = simulate(path, task)
    session.trace(inputs(task), steps(session))


def as_plan(path: Path, task: dict[str, Any]) -> None:
    """Convert by a plan."""
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return  # the command line's reading of files has tests of its own
    plan = ConversionPlan.from_json(text)
    simulate(convert(task["model"], plan=plan).model, task)


def as_data(path: Path, task: dict[str, Any]) -> None:
    """Calibrate with it."""
    infos = SpikingSession(task["model"]).inputs
    for _ in open_dataset(path, infos, None).batches(16):
        pass


def simulate(model: Any, task: dict[str, Any]) -> SpikingSession:
    session = SpikingSession(model)
    session.run(inputs(task), steps(session))
    return session


def steps(session: SpikingSession) -> int | None:
    """The file's own T; where that is damaged to something long, a short one."""
    return None if session.timesteps <= 16 else 2


def inputs(task: dict[str, Any]) -> np.ndarray:
    shape = (task["batch"], *task["shape"])
    return np.random.default_rng(0).random(shape, dtype=np.float32)


VERBS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "source": as_source,
    "spiking": as_spiking,
    "plan": as_plan,
    "data": as_data,
}


def answer(task: dict[str, Any]) -> str:
    """How the library took this file."""
    path = Path(task["path"])
    outcome = "done"
    try:
        VERBS[task["verb"]](path, task)
    except Onnx2SnnError as error:
        if len(str(error).splitlines()) != 1 or "a defect of" in str(error):
            return f"message: {error}"
        outcome = "refused"
    except MemoryError:
        return "out of memory"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        places = " > ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames)
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} at {places}"
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > MEMORY:
        return "memory above 1 GiB"
    return outcome


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_GUARD, MEMORY_GUARD))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    # Libraries in C may print to the same stream; answers go where nobody else writes.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
