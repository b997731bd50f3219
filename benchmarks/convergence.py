"""How fast the spiking logits approach the source's on ResNet-20.

Per-channel maximum thresholds, half initial potential, linear pools: nothing is clipped but what
lies beyond the calibration data's maxima, so what is left is the error of the rate code, which
should fall as 1/T. Needs ``models/akamaster_cifar10_resnet20.onnx`` and
``cifar10_{test,train}_lossless.npz``.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import RESNET20, head, publish, table

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.frontend import read_source
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable

STEPS = (32, 64, 128, 256, 512)
BATCH = 20


def main() -> None:
    """Mean absolute logit error and agreement over T."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--calibration-samples", type=int, default=256)
    arguments = parser.parse_args()
    result = convert(
        RESNET20.model,
        STEPS[-1],
        threshold="max",
        avgpool="linear",
        calibration_data=RESNET20.calibration,
        samples=arguments.calibration_samples,
        preprocessing=RESNET20.preprocessing,
    )
    session = SpikingSession(result.model)
    source = StockExecutable(read_source(RESNET20.model)[0], BackendOptions())
    test = open_dataset(RESNET20.test, session.inputs, RESNET20.preprocessing)
    name = session.outputs[0].name
    errors: dict[int, list[float]] = {t: [] for t in STEPS}
    agree: dict[int, int] = dict.fromkeys(STEPS, 0)
    sizes: list[float] = []
    subset = test.subset(arguments.samples)
    for feeds in subset.batches(BATCH):
        wanted = source.run([name], feeds)[0]
        sizes.append(float(np.abs(wanted).mean()))
        over_time = session.observe(feeds, STEPS[-1]).outputs[name]
        for t in STEPS:
            errors[t].append(float(np.abs(over_time[t - 1] - wanted).mean()))
            agree[t] += int((over_time[t - 1].argmax(1) == wanted.argmax(1)).sum())
        print(f"{len(sizes) * BATCH} images", flush=True)
    rows = [
        [
            str(t),
            f"{np.mean(errors[t]):.3f}",
            f"{t * np.mean(errors[t]):.0f}",
            f"{100 * agree[t] / len(subset):.1f}",
        ]
        for t in STEPS
    ]
    command = (
        f"python benchmarks/convergence.py --samples {arguments.samples} "
        f"--calibration-samples {arguments.calibration_samples}"
    )
    publish(
        "convergence",
        [
            *head("Convergence on ResNet-20", command),
            f"Mean size of a source logit: {np.mean(sizes):.2f}. {len(subset)} test images.",
            "",
            *table(["T", "mean logit error", "T × error", "same class %"], rows),
        ],
    )


if __name__ == "__main__":
    main()
