"""How many standard deviations the end of a quantizer's range should be taken for.

The one constant of the threshold method ``quantizer-normal``. Needs what ``accuracy_over_time.py``
needs for its int8 networks.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from common import MLPERF_INT8, OWN_DIGITS, RESNET20, Network, head, publish, table
from quantize import quantized

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation import evaluate
from onnx2snn.methods.threshold import quantizer_normal
from onnx2snn_runtime import SpikingSession

STEPS = (4, 8, 16, 32)
RANGES = (5.0, 6.0, 7.0, 8.0)


def accuracy(network: Network, timesteps: int, samples: int, threshold: str) -> str:
    """In percent, at T = ``timesteps``."""
    result = convert(network.model, timesteps, threshold=threshold)
    session = SpikingSession(result.model)
    test = open_dataset(network.test, session.inputs, network.preprocessing).subset(samples)
    (row,) = evaluate(session, test, timesteps=(timesteps,)).rows
    return f"{100 * (row.accuracy or 0):.1f}"


def main() -> None:
    """All int8 networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300)
    n = parser.parse_args().samples
    lines = head("Range of a quantizer", f"python benchmarks/quantizer_range.py --samples {n}")
    with tempfile.TemporaryDirectory() as folder:
        resnet = replace(
            RESNET20,
            name="ResNet-20, CIFAR-10, int8 QDQ (onnxruntime, symmetric activations)",
            model=quantized(RESNET20, Path(folder) / "resnet20_int8.onnx"),
        )
        for network in (resnet, MLPERF_INT8, OWN_DIGITS):
            rows = []
            for deviations in RANGES:
                quantizer_normal.RANGE = deviations
                cells = [accuracy(network, t, n, "quantizer-normal") for t in STEPS]
                rows.append([f"{deviations:g}", *cells])
            cells = [accuracy(network, t, n, "quantizer") for t in STEPS]
            rows.append(["none: threshold at the end", *cells])
            lines += [f"## {network.name}", "", "Accuracy in %.", ""]
            lines += table(["standard deviations", *(f"T = {t}" for t in STEPS)], rows)
    publish("quantizer_range", lines)


if __name__ == "__main__":
    main()
