"""Seconds from start-up to the written file, as whole processes, and import time.

Needs ``models/akamaster_cifar10_resnet20.onnx``. The median of repeated runs.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import RESNET20, head, publish, table

RUNS = 7


def seconds(command: list[str]) -> str:
    """Median and largest wall-clock time of a command."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return f"{statistics.median(times):.2f} (at most {max(times):.2f})"


def main() -> None:
    """Measure and publish."""
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "out.snn.onnx")
        script = str(Path(python).with_name("onnx2snn"))
        rows = [
            ["an interpreter that does nothing", seconds([python, "-c", "pass"])],
            ["import onnx2snn", seconds([python, "-c", "import onnx2snn"])],
            ["onnx2snn --version", seconds([script, "--version"])],
            [
                "onnx2snn convert ResNet-20 -T 8, no data",
                seconds([script, "convert", str(RESNET20.model), "-T", "8", "-o", target]),
            ],
        ]
    publish(
        "conversion_time",
        [
            *head("Conversion time", "python benchmarks/conversion_time.py"),
            f"Wall-clock seconds of whole processes, median of {RUNS} runs.",
            "",
            *table(["what", "seconds"], rows),
        ],
    )


if __name__ == "__main__":
    main()
