"""Would sums that visit only what fires pay? Prototypes beside the kernels; see decision 0027.

Compiles ``event_driven_sums.cpp`` with the kernels' own sources; needs a C++ compiler and a
processor with VNNI. One thread, best of seven.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from common import head, publish, table

from onnx2snn_runtime.native.compile import SOURCES, find_compiler

PROTOTYPE = Path(__file__).with_suffix(".cpp")
KERNELS = ("dot.cpp", "dot_x86.cpp", "amx.cpp")
COLUMNS = ["activity", "depth", "outputs", "float, events", "int8, events by quads (VNNI)"]
COLUMNS += ["int8, AVX2", "int8, VNNI", "int8, AMX"]


def main() -> None:
    """Compile, measure and publish."""
    compiler = find_compiler()
    assert compiler is not None, "needs a C++ compiler"
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "program")
        sources = [str(PROTOTYPE), *(str(SOURCES / name) for name in KERNELS)]
        flags = ["-std=c++17", "-O3", f"-I{SOURCES}"]
        subprocess.run([compiler, *flags, *sources, "-o", program], check=True)
        done = subprocess.run([program], check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    publish(
        "event_driven_sums",
        [
            *head("Event-driven sums", "python benchmarks/event_driven_sums.py"),
            "GMAC/s, silent synapses counted too; random spikes.",
            "",
            *table(COLUMNS, rows),
        ],
    )


if __name__ == "__main__":
    main()
