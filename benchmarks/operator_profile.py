"""Where the time of a run goes, operator type by operator type, as onnxruntime's profiler tells."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import onnxruntime

NODE_TIME = "_kernel_time"


#: What a run takes beside its nodes.
REST = "beside the nodes"
RUNS = 3


def operator_shares(load: Callable[[], Callable[[], object]]) -> dict[str, float]:
    """The share of a run's time that every operator type takes.

    ``load`` makes its onnxruntime sessions itself, so that what is profiled is what is run, with
    whatever the runtime changes in the file's graph.
    """
    with tempfile.TemporaryDirectory() as folder:
        with profiled_sessions(Path(folder)) as made:
            run = load()
            started = time.perf_counter()
            for _ in range(RUNS):
                run()
            whole = time.perf_counter() - started
        seconds: Counter[str] = Counter()
        for session in made:
            for event in _node_events(Path(session.end_profiling())):
                seconds[event["args"]["op_name"]] += event["dur"] / 1e6
    seconds[REST] = whole - seconds.total()
    return {op: part / whole for op, part in seconds.most_common()}


@contextmanager
def profiled_sessions(folder: Path) -> Iterator[list[Any]]:
    """The onnxruntime sessions that are made meanwhile, each with a profile in the folder."""
    made: list[Any] = []
    make = onnxruntime.InferenceSession

    def profiled(model: bytes, options: Any, **rest: Any) -> Any:
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / f"session{len(made)}")
        made.append(make(model, options, **rest))
        return made[-1]

    with mock.patch.object(onnxruntime, "InferenceSession", profiled):
        yield made


def _node_events(file: Path) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(file.read_text())
    return [e for e in events if e["cat"] == "Node" and e["name"].endswith(NODE_TIME)]
