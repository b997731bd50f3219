"""Measure the reference networks and write ``manifest.json`` and the table in ``README.md``.

Sizes, digests, operators and accuracies are always computed from the final files, with
onnxruntime, never typed in by hand. With ``--check`` nothing is written: the script compares the
committed manifest and table with the files and fails where they differ. Accuracies on MNIST are
then only compared when the images are there.

Needs numpy, onnx and onnxruntime only.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import model_tools
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from mnist_data import load_mnist, mnist_file
from model_tools import DEMO_DIR, LICENCE, MODELS_DIR, FloatArray, ModelFileError

MANIFEST_FILE = MODELS_DIR / "manifest.json"
README_FILE = MODELS_DIR / "README.md"
HELDOUT_FILE = DEMO_DIR / "digits_heldout.npz"
BEGIN = "<!-- table: begin, written by make_manifest.py -->"
END = "<!-- table: end -->"

#: What depends on the test images or on the machine's kernels; the rest is a property of the file.
MEASURED = (
    "test_set_sha256",
    "n_test",
    "n_correct",
    "accuracy_percent",
    "n_correct_unoptimized",
    "measured_with",
)

Entry = dict[str, Any]
Samples = tuple[FloatArray, npt.NDArray[np.uint8]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldoutSet:
    """Labelled images that a network has not been trained on."""

    name: str
    data: str
    preprocessing: str
    locate: Callable[[], Path]
    load: Callable[[], Samples]

    def is_available(self) -> bool:
        """Say whether the images are on this machine."""
        try:
            return self.locate().is_file()
        except FileNotFoundError:
            return False


@dataclass(frozen=True)
class Network:
    """What a person must say about a file; everything else is measured."""

    path: Path
    made_by: str
    test_set: HeldoutSet
    special: str


def load_digits_heldout() -> Samples:
    """Return the held-out digits as network input, with labels."""
    with np.load(HELDOUT_FILE, allow_pickle=False) as archive:
        return model_tools.to_nchw(archive["images"], 16.0), archive["labels"]


DIGITS = HeldoutSet(
    name=HELDOUT_FILE.name,
    data="UCI Optical Recognition of Handwritten Digits (CC BY 4.0), through scikit-learn",
    preprocessing="pixel / 16",
    locate=lambda: HELDOUT_FILE,
    load=load_digits_heldout,
)
MNIST = HeldoutSet(
    name="mnist_test.npz",
    data="MNIST (CC BY-SA 3.0)",
    preprocessing="pixel / 255",
    locate=lambda: mnist_file("test"),
    load=lambda: load_mnist("test"),
)
NETWORKS = (
    Network(
        MODELS_DIR / "digits_cnn_float.onnx",
        "train_digits_cnn.py",
        DIGITS,
        "batch normalisation unfused; residual block with identity shortcut; average pool and "
        "global average pool",
    ),
    Network(
        DEMO_DIR / "digits_cnn_int8.onnx",
        "quantize_digits_cnn.py",
        DIGITS,
        "the demo network; QDQ, per-channel int8 weights, int8 activations with zero point 0; a "
        "signed quantizer before every Relu and a second one after it",
    ),
    Network(
        MODELS_DIR / "digits_cnn_int8_asymmetric.onnx",
        "quantize_digits_cnn.py",
        DIGITS,
        "QDQ, per-channel int8 weights, uint8 activations with real zero points; no Relu nodes: "
        "the quantizers clip",
    ),
    Network(
        MODELS_DIR / "mnist_cnn_float.onnx",
        "train_mnist_cnn.py",
        MNIST,
        "batch normalisation unfused; plain chain; unpadded 5x5 convolutions, average pools",
    ),
)


def describe(network: Network) -> Entry:
    """Return the properties of a file that do not need any images."""
    model = onnx.load(str(network.path))
    model_tools.check(model)
    return {
        "path": Path(os.path.relpath(network.path, MODELS_DIR)).as_posix(),
        "sha256": model_tools.sha256_of(network.path),
        "bytes": network.path.stat().st_size,
        "licence": LICENCE,
        "made_by": network.made_by,
        "data": network.test_set.data,
        "preprocessing": network.test_set.preprocessing,
        "test_set": network.test_set.name,
        "opset": model_tools.default_opset(model),
        "ir_version": model.ir_version,
        "operators": model_tools.operator_histogram(model),
        "special": network.special,
    }


def measure(network: Network) -> Entry:
    """Return the accuracy, with onnxruntime's optimizations and with the graph as written."""
    inputs, labels = network.test_set.load()
    correct, unoptimized = (
        model_tools.count_correct(
            model_tools.new_session(network.path, optimize=optimize), inputs, labels
        )
        for optimize in (True, False)
    )
    values = (
        model_tools.sha256_of(network.test_set.locate()),
        len(labels),
        correct,
        round(100 * correct / len(labels), 2),
        unoptimized,
        f"onnxruntime {ort.__version__}, CPU",
    )
    return dict(zip(MEASURED, values, strict=True))


def make_table(entries: list[Entry]) -> str:
    """Return the manifest as a Markdown table."""
    rows = [
        "| file | bytes | accuracy % (correct of n) | test images | preprocessing | opset "
        "| made by | what is special |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        share = f"{entry['n_correct']:,} of {entry['n_test']:,}"
        cells = (
            f"`{entry['path']}`",
            f"{entry['bytes']:,}",
            f"{entry['accuracy_percent']:.2f} ({share})",
            f"`{entry['test_set']}`",
            entry["preprocessing"],
            str(entry["opset"]),
            f"`{entry['made_by']}`",
            entry["special"],
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def with_table(readme: str, table: str) -> str:
    """Return the text of the README with the part between the markers replaced."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ModelFileError(f"{README_FILE.name} lacks the markers of the table")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def write() -> None:
    """Measure everything and write the manifest and the table."""
    entries = [describe(network) | measure(network) for network in NETWORKS]
    MANIFEST_FILE.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    readme = README_FILE.read_text(encoding="utf-8")
    README_FILE.write_text(with_table(readme, make_table(entries)), encoding="utf-8")
    for entry in entries:
        logger.info("%s: %s %%", entry["path"], entry["accuracy_percent"])


def differences() -> list[str]:
    """Compare the committed manifest and table with the files."""
    stored = json.loads(MANIFEST_FILE.read_text(encoding="utf-8"))
    found = [] if len(stored) == len(NETWORKS) else ["the number of entries differs"]
    for network, entry in zip(NETWORKS, stored, strict=False):
        fresh = describe(network)
        if network.test_set.is_available():
            fresh |= measure(network)
            fresh.pop("measured_with")
        else:
            logger.info("%s: no test images, accuracy not compared", fresh["path"])
        found += [
            f"{fresh['path']}: {key} is {value!r}, the manifest says {entry.get(key)!r}"
            for key, value in fresh.items()
            if entry.get(key) != value
        ]
    readme = README_FILE.read_text(encoding="utf-8")
    if with_table(readme, make_table(stored)) != readme:
        found.append(f"the table in {README_FILE.name} does not match the manifest")
    return found


def main() -> int:
    """Write or check; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    if not parser.parse_args().check:
        write()
        return 0
    found = differences()
    for line in found:
        logger.error(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
