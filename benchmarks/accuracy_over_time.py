"""Accuracy over T for every way to choose thresholds.

Needs from the data folder: ``models/akamaster_cifar10_resnet20.onnx``,
``models/mlperftiny_cifar10_resnet8_int8_qdq.onnx``, ``models/sinabs_mnist_cnn.onnx``,
``cifar10_{test,train}_lossless.npz`` and ``mnist_{test,train}.npz``. The int8 form of ResNet-20 is
made on the spot by onnxruntime's static quantization.

A file whose thresholds are free of T is converted once and observed at every T. One whose
thresholds are the best for one T is converted anew for every T, since that is how it is used.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import (
    MLPERF_INT8,
    OWN_MNIST,
    RESNET20,
    SINABS_MNIST,
    Network,
    head,
    publish,
    table,
)
from quantize import quantized

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation import Row, evaluate
from onnx2snn.frontend import read_source
from onnx2snn_runtime import SpikingSession

STEPS = (1, 2, 4, 8, 16, 32, 64)
#: What a row of the table says, and the options it stands for.
Way = tuple[str, dict[str, Any], bool]

NO_DATA: Way = ("no data (default)", {}, False)
QUANTIZER: Way = ("quantizer (any T)", {"threshold": "quantizer"}, False)
NO_DATA_LINEAR: Way = ("no data, linear pools", {"avgpool": "linear"}, False)
SYNTHETIC: Way = ("no data, synthetic inputs (mmse)", {"threshold": "mmse"}, False)
DATA: Way = ("calibration data, mmse", {"threshold": "mmse"}, True)
DATA_LINEAR: Way = (
    "calibration data, mmse, linear pools",
    {"threshold": "mmse", "avgpool": "linear"},
    True,
)
MAX: Way = ("max, linear pools", {"threshold": "max", "avgpool": "linear"}, True)
PERCENTILE: Way = (
    "percentile 99.9, linear pools",
    {"threshold": "percentile", "avgpool": "linear"},
    True,
)
ZERO: Way = (
    "mmse, linear pools, zero potential",
    {"threshold": "mmse", "avgpool": "linear", "v_init": "zero"},
    True,
)
HARD: Way = (
    "mmse, linear pools, hard reset",
    {"threshold": "mmse", "avgpool": "linear", "reset": "zero"},
    True,
)


def measure(network: Network, way: Way, samples: int) -> tuple[str, list[Row], float]:
    """The rows of one way on one network, and the source's accuracy."""
    name, options, with_data = way
    if with_data:
        options = options | {"calibration_data": network.calibration}

    def one(timesteps: int, wanted: tuple[int, ...]) -> tuple[list[Row], float, bool]:
        result = convert(network.model, timesteps, preprocessing=network.preprocessing, **options)
        session = SpikingSession(result.model)
        test = open_dataset(network.test, session.inputs, network.preprocessing).subset(samples)
        measured = evaluate(session, test, timesteps=wanted, ann=read_source(network.model)[0])
        assert measured.ann_accuracy is not None
        return list(measured.rows), measured.ann_accuracy, result.plan.timesteps_fixed

    probe = convert(network.model, 1, preprocessing=network.preprocessing, **options)
    if not probe.plan.timesteps_fixed:
        rows, source, _ = one(STEPS[-1], STEPS)
        return name, rows, source
    rows, source = [], 0.0
    for timesteps in STEPS:
        found, source, _ = one(timesteps, (timesteps,))
        rows += found
    return name, rows, source


def report(network: Network, ways: list[Way], samples: int) -> list[str]:
    """The table of one network."""
    lines: list[list[str]] = []
    source = 0.0
    for way in ways:
        name, rows, source = measure(network, way, samples)
        cells = [f"{100 * (r.accuracy or 0):.1f} ({100 * (r.agreement or 0):.1f})" for r in rows]
        lines.append([name, *cells])
        print(lines[-1], flush=True)
    title = f"{network.name}: source {100 * source:.2f} %, {samples} images"
    return [
        f"## {title}",
        "",
        "Accuracy in %, in brackets agreement with the source.",
        "",
        *table(["thresholds", *(f"T = {t}" for t in STEPS)], lines),
    ]


def main() -> None:
    """All networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    n = arguments.samples
    lines = head("Accuracy over time", f"python benchmarks/accuracy_over_time.py --samples {n}")
    with tempfile.TemporaryDirectory() as folder:
        int8 = replace(
            RESNET20,
            name="ResNet-20, CIFAR-10, int8 QDQ (onnxruntime, symmetric activations)",
            model=quantized(RESNET20, Path(folder) / "resnet20_int8.onnx"),
        )
        every = [NO_DATA, NO_DATA_LINEAR, SYNTHETIC, DATA, DATA_LINEAR, MAX, PERCENTILE, ZERO, HARD]
        lines += report(RESNET20, every, n)
        lines += report(int8, [NO_DATA, QUANTIZER, NO_DATA_LINEAR, DATA, DATA_LINEAR], n)
        lines += report(MLPERF_INT8, [NO_DATA, QUANTIZER, DATA, DATA_LINEAR], n)
        lines += report(OWN_MNIST, [NO_DATA, DATA, DATA_LINEAR], n)
        lines += report(SINABS_MNIST, [NO_DATA, DATA, DATA_LINEAR], n)
    publish("accuracy_over_time", lines)


if __name__ == "__main__":
    main()
