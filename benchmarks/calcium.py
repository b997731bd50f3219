"""Outputs of calcium-gated neurons beside those of their quantized source (Gao 2023).

Labels hardly tell neuron models apart in a window of 128 steps; outputs do. Needs from the data
folder ``models/akamaster_cifar10_resnet20.onnx`` and ``cifar10_{test,train}_lossless.npz``; the
int8 form of the network is made on the spot. The rounding phase of ``ca-lif`` is the last row of
its window, so the others get one step fewer.
"""

from __future__ import annotations

import argparse

import numpy as np
from cells import MEMORY
from common import MADE, RESNET20, head, publish, table
from quantize import quantized
from questions import RESNET20_INT8

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.frontend import read_source
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable

STEPS = (64, 128)
#: Neuron models, and rows behind the code.
MODELS = {"lif": 0, "ca-lif-unrounded": 0, "ca-lif": 1}


def measure(neuron: str, timesteps: int, samples: int) -> tuple[float, float]:
    """Squared error of the outputs relative to the source's, and share of equal labels."""
    result = convert(RESNET20_INT8.model, timesteps, recipe="gao2023", neuron=neuron)
    session = SpikingSession(result.model, threads=1, memory=MEMORY)
    test = open_dataset(RESNET20_INT8.test, session.inputs, RESNET20_INT8.preprocessing)
    feeds = next(iter(test.subset(samples).batches(samples)))
    source = StockExecutable(read_source(RESNET20_INT8.model)[0], BackendOptions())
    name = session.outputs[0].name
    wanted = source.run([name], feeds)[0]
    given = session.run(feeds)[name].reshape(wanted.shape)
    error = float(np.square(given - wanted).sum() / np.square(wanted).sum())
    return error, float((given.argmax(axis=1) == wanted.argmax(axis=1)).mean())


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=64)
    n = parser.parse_args().samples
    if not RESNET20_INT8.model.exists():
        MADE.mkdir(exist_ok=True)
        quantized(RESNET20, RESNET20_INT8.model)
    lines = []
    for neuron, rows in MODELS.items():
        found = [measure(neuron, t - 1 + rows, n) for t in STEPS]
        lines.append([neuron, *(f"{100 * e:.1f} %, {100 * same:.1f} %" for e, same in found)])
        print(lines[-1], flush=True)
    report = head("Outputs of calcium-gated neurons", f"python benchmarks/calcium.py --samples {n}")
    said = "Squared error of the outputs relative to the source's, and share of equal labels."
    report += [f"{RESNET20_INT8.name}, {n} test images. {said}", ""]
    report += table(["neurons", *(f"code of {t - 1} steps" for t in STEPS)], lines)
    publish("calcium", report)


if __name__ == "__main__":
    main()
