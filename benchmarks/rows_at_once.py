"""Time of a row (a step of a sample) over the number of rows simulated at once.

Needs ``models/akamaster_cifar10_resnet20.onnx`` and ``models/vgg16half_cifar10.onnx``. All sizes
of a network are measured in turn, repetition after repetition, so that a busy machine disturbs all
alike. Inputs are random: the time of plain neurons hardly depends on them.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
from common import DATA, OWN_MNIST, RESNET20, head, publish, table

from onnx2snn import convert
from onnx2snn_runtime import SpikingSession

VGG16 = DATA / "models" / "vgg16half_cifar10.onnx"
NETWORKS = (
    ("ResNet-20", RESNET20.model),
    ("VGG-16 (half width)", VGG16),
    ("MNIST CNN", OWN_MNIST.model),
)
#: (samples, steps) at once.
SLICES = ((1, 4), (1, 8), (1, 16), (1, 32), (4, 32), (16, 32))
STEPS, SAMPLES, REPETITIONS, THREADS = 32, 16, 3, 1


def measure(model: Path) -> list[str]:
    """Microseconds of a row, for each size."""
    session = SpikingSession(convert(model, STEPS).model, threads=THREADS)
    shape = [int(d) for d in session.inputs[0].shape[1:] if isinstance(d, int)]
    x = np.random.default_rng(0).random((SAMPLES, *shape), dtype=np.float32)
    seconds: dict[tuple[int, int], list[float]] = {s: [] for s in SLICES}
    for i in range(REPETITIONS + 1):
        for samples, steps in SLICES:
            started = time.perf_counter()
            session.run(x, batch_size=samples, window=steps)
            if i:
                seconds[samples, steps].append(time.perf_counter() - started)
    rows = SAMPLES * STEPS
    return [f"{1e6 * statistics.median(s) / rows:.0f}" for s in seconds.values()]


def main() -> None:
    """Measure and publish."""
    columns = ["network", *(f"{n} × {t}" for n, t in SLICES)]
    rows = [[name, *measure(model)] for name, model in NETWORKS]
    publish(
        "rows_at_once",
        [
            *head("Rows at once", "python benchmarks/rows_at_once.py"),
            f"µs a row, by samples × steps at once; {SAMPLES} samples, T = {STEPS}, plain neurons, "
            f"one thread, median of {REPETITIONS}.",
            "",
            *table(columns, rows),
        ],
    )


if __name__ == "__main__":
    main()
