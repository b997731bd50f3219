"""Peak memory of simulations, beside what the session is told it may use.

VGG-16 of full width with random weights (``vgg16.py``), ``models/vgg16half_cifar10.onnx`` and
``models/akamaster_cifar10_resnet20.onnx`` on images of ``cifar10_test_lossless.npz``; Linux, which
tells a process its peak. Each simulation is a process of its own. Its peak is counted from the
moment when the network is loaded, has run one step, and has given back what it does not hold.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import CIFAR_TEST, DATA, RESNET20, head, publish, table
from vgg16 import vgg16

from onnx2snn import convert
from onnx2snn_runtime import SpikingSession

MIB = 2**20
VGG16 = DATA / "models" / "vgg16half_cifar10.onnx"


@dataclass(frozen=True)
class Simulation:
    """What is simulated, in how much memory; without a ``source``, VGG-16 with random weights."""

    name: str
    source: Path | None
    timesteps: int
    samples: int
    memory: int


SIMULATIONS = (
    Simulation("VGG-16", None, 128, 256, 1024 * MIB),
    Simulation("VGG-16 (half width)", VGG16, 128, 256, 1024 * MIB),
    Simulation("VGG-16 (half width)", VGG16, 128, 32, 1024 * MIB),
    Simulation("VGG-16 (half width)", VGG16, 128, 32, 256 * MIB),
    Simulation("VGG-16 (half width)", VGG16, 128, 32, 64 * MIB),
    Simulation("ResNet-20", RESNET20.model, 128, 64, 1024 * MIB),
    Simulation("ResNet-20", RESNET20.model, 128, 64, 128 * MIB),
)


def peak() -> int:
    """The largest resident size of this process since it was last reset, in bytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def simulate(model: str, samples: int, memory: int) -> None:
    """In a process of its own: print peak, seconds, and the sum of the outputs."""
    session = SpikingSession(model, memory=memory)
    with np.load(CIFAR_TEST) as archive:
        images = archive["images"][:samples].transpose(0, 3, 1, 2).astype(np.float32) / 128 - 1
    session.run(images[:1], window=1)
    ctypes.CDLL(None).malloc_trim(0)  # what loading left free would hide what running takes
    Path("/proc/self/clear_refs").write_text("5")
    before, started = peak(), time.perf_counter()
    outputs = session.run(images)
    seconds = time.perf_counter() - started
    print(json.dumps([peak() - before, seconds, float(next(iter(outputs.values())).sum())]))


def measure(simulation: Simulation, folder: str) -> list[str]:
    """One row of the table."""
    target = str(Path(folder) / "model.snn.onnx")
    convert(simulation.source or vgg16(seed=0), simulation.timesteps).save(target)
    call = [sys.executable, __file__, target, str(simulation.samples), str(simulation.memory)]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    used, seconds, _ = json.loads(done.stdout)
    return [
        simulation.name,
        str(simulation.timesteps),
        str(simulation.samples),
        f"{simulation.memory / MIB:.0f}",
        f"{used / MIB:.0f}",
        f"{seconds:.0f}",
    ]


def main() -> None:
    """Measure and publish; with arguments, be one of the processes."""
    if len(sys.argv) > 1:
        simulate(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(simulation, folder) for simulation in SIMULATIONS]
    columns = ["network", "T", "images", "may use (MiB)", "used (MiB)", "seconds"]
    publish(
        "simulation_memory",
        [
            *head("Memory of a simulation", "python benchmarks/simulation_memory.py"),
            "Peak memory of `SpikingSession.run` above the loaded network.",
            "",
            *table(columns, rows),
        ],
    )


if __name__ == "__main__":
    main()
