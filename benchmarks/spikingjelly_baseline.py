"""Accuracy of SpikingJelly's own conversion of ResNet-20, beside our recipes.

Both get the same 256 calibration images and the same test images. SpikingJelly rebuilds the network
from the ONNX file's weights (that the logits agree is checked), in an interpreter of its own
(``--spikingjelly-python``). Needs ``models/akamaster_cifar10_resnet20.onnx`` and
``cifar10_{test,train}_lossless.npz``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from common import RESNET20, head, publish, table
from spikingjelly_bridge import Peer, write_network

from onnx2snn import convert
from onnx2snn.calibration import Dataset, open_dataset
from onnx2snn.evaluation.accuracy import predicted
from onnx2snn.frontend import canonicalise, read_source
from onnx2snn_runtime import SpikingSession, TensorInfo
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable

STEPS = (4, 8, 16, 32)
CALIBRATION_SAMPLES = 256
#: What the rows say, SpikingJelly's modes, and options of its recipe.
THEIRS: tuple[tuple[str, str | float, dict[str, bool]], ...] = (
    ("max", "max", {}),
    ("99.9 %", "99.9%", {}),
    ("half of the maximum", 0.5, {}),
    (
        "99.9 %, channel by channel, half initial potential",
        "99.9%",
        {"channel_wise": True, "half_threshold": True},
    ),
)
OURS = ("robust-norm", "auto")


@dataclass(frozen=True)
class Images:
    """Calibration and test images as the network takes them, labels, and the source's classes."""

    calibration: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    source: np.ndarray

    def row(self, name: str, classes: Sequence[np.ndarray]) -> list[str]:
        """Accuracy in percent for each T."""
        return [name, *(f"{100 * (found == self.labels).mean():.1f}" for found in classes)]


def prepared(path: Path, infos: tuple[TensorInfo, ...], samples: int) -> Dataset:
    """So many images of a file, drawn with seed 0 as ``convert`` draws them."""
    return open_dataset(path, infos, RESNET20.preprocessing).subset(samples, seed=0)


def read_images(model: onnx.ModelProto, samples: int) -> Images:
    """The images of both sides."""
    infos = SpikingSession(convert(model, STEPS[0]).model).inputs
    test = prepared(RESNET20.test, infos, samples)
    ((images,), (labels,)) = (
        [feeds["input"] for feeds in test.batches(samples)],
        list(test.label_batches(samples)),
    )
    (feeds,) = prepared(RESNET20.calibration, infos, CALIBRATION_SAMPLES).batches(
        CALIBRATION_SAMPLES
    )
    source = logits(model, images)
    return Images(feeds["input"], images, labels, predicted(source))


def logits(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """What the source network says."""
    executable = StockExecutable(model, BackendOptions())
    parts = np.array_split(images, max(1, len(images) // 64))
    name = model.graph.output[0].name
    return np.concatenate([executable.run([name], {"input": part})[0] for part in parts])


def their_rows(
    peer: Peer, model: onnx.ModelProto, images: Images, steps: Sequence[int], folder: Path
) -> tuple[list[list[str]], float]:
    """Accuracies, and by how much the logits of the rebuilt network differ from the source's."""
    network, test = folder / "network.npz", folder / "test.npz"
    calibration, answers = folder / "calibration.npz", folder / "answers.npz"
    write_network(canonicalise(model).to_model(), network)
    np.savez(test, images=images.test)
    np.savez(calibration, images=images.calibration)
    files: dict[str, Any] = {"network": str(network), "images": str(test)}
    peer.call("ann_answers", **files, target=str(answers))
    with np.load(answers) as archive:
        difference = float(np.abs(archive["answers"] - logits(model, images.test)).max())
    files["calibration"] = str(calibration)
    rows = []
    for name, mode, options in THEIRS:
        found = peer.call("convert", **files, timesteps=list(steps), mode=mode, options=options)
        classes = [np.array(found[str(t)]) for t in steps]
        rows.append(images.row(f"SpikingJelly, {name}", classes))
        print(rows[-1], flush=True)
    return rows, difference


def our_row(recipe: str, images: Images, steps: Sequence[int]) -> list[str]:
    """Accuracies of a recipe, converted anew for every T."""
    classes = []
    for t in steps:
        result = convert(
            RESNET20.model,
            t,
            recipe=recipe,
            calibration_data=RESNET20.calibration,
            preprocessing=RESNET20.preprocessing,
            samples=CALIBRATION_SAMPLES,
        )
        (answers,) = SpikingSession(result.model).run(images.test).values()
        classes.append(predicted(answers))
    return images.row(f"onnx2snn, {recipe}", classes)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spikingjelly-python", required=True, help="one that has SpikingJelly")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    arguments = parser.parse_args()
    steps = arguments.steps
    model, _ = read_source(RESNET20.model)
    images = read_images(model, arguments.samples)
    with (
        tempfile.TemporaryDirectory() as folder,
        Peer(arguments.spikingjelly_python, threads=1) as peer,
    ):
        rows, difference = their_rows(peer, model, images, steps, Path(folder))
        versions = ", ".join(f"{name} {version}" for name, version in peer.versions.items())
    for recipe in OURS:
        rows.append(our_row(recipe, images, steps))
        print(rows[-1], flush=True)
    command = (
        f"python benchmarks/spikingjelly_baseline.py --samples {arguments.samples} "
        f"--steps {' '.join(map(str, steps))} --spikingjelly-python PYTHON"
    )
    accuracy = 100 * (images.source == images.labels).mean()
    publish(
        "spikingjelly_baseline",
        [
            *head("SpikingJelly's conversion and ours", command),
            f"{RESNET20.name}; accuracy in percent, {arguments.samples} test images (seed 0); "
            f"source network {accuracy:.1f}. {versions}. The network rebuilt there differs from "
            f"the source by at most {difference:.1g} in its logits.",
            "",
            *table(["", *(f"T = {t}" for t in steps)], rows),
        ],
    )


if __name__ == "__main__":
    main()
