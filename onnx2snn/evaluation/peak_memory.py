"""The peak memory of a task, measured in a process of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from onnx2snn.errors import BackendError

#: Linux: what a process holds, and writing "5" sets its peak back to that.
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Task(Protocol):
    """Something that is loaded once and run often. Travels to another process as a pickle."""

    def load(self) -> Callable[[], object]:
        """What runs it."""
        ...


def peak_memory(task: Task) -> int | None:
    """Bytes by which one run raises the peak of a new process above what it holds when loaded.

    On Linux the resident size. Where a peak cannot be set back (macOS), only what exceeds the
    peak of loading is seen; None where the system tells no peak (Windows).

    Raises:
        BackendError: the process ended before its answer, as for want of memory.
        Onnx2SnnError: whatever loading and running the task raises.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure_here, task).result()
        except BrokenProcessPool as error:
            raise BackendError(
                "the process that measures memory was ended",
                remedy="give less memory with --memory, or fewer samples",
            ) from error


def measure_here(task: Task) -> int | None:
    """The same in this process, whose own peak is set back."""
    run = task.load()
    with suppress(OSError):  # where it cannot be set back, the peak of loading counts
        if RESET.exists():
            RESET.write_text("5")
    before = peak()
    run()
    after = peak()
    return None if before is None or after is None else after - before


def peak() -> int | None:
    """The largest resident size of this process so far, in bytes; None if nobody tells."""
    if STATUS.is_file():
        found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
        if found is not None:
            return int(found[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415  Windows has none

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
