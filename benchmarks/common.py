"""What the benchmark scripts share: the data folder, networks, the head of a report."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from onnx2snn import Preprocessing

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
#: What scripts make of the data folder and may use again.
MADE = Path(tempfile.gettempdir()) / "onnx2snn-benchmarks"
DATA = Path(os.environ.get("ONNX2SNN_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True)
class Network:
    """A trained network with its data."""

    name: str
    model: Path
    test: Path
    calibration: Path
    preprocessing: Preprocessing


IMAGENET_STYLE = Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
CIFAR_TEST = DATA / "cifar10_test_lossless.npz"
CIFAR_TRAIN = DATA / "cifar10_train_lossless.npz"
MNIST_TEST = DATA / "mnist_test.npz"
MNIST_TRAIN = DATA / "mnist_train.npz"

RESNET20 = Network(
    "ResNet-20, CIFAR-10, float with batch norm",
    DATA / "models" / "akamaster_cifar10_resnet20.onnx",
    CIFAR_TEST,
    CIFAR_TRAIN,
    IMAGENET_STYLE,
)
MLPERF_INT8 = Network(
    "MLPerf Tiny ResNet-8, CIFAR-10, int8 QDQ",
    DATA / "models" / "mlperftiny_cifar10_resnet8_int8_qdq.onnx",
    CIFAR_TEST,
    CIFAR_TRAIN,
    Preprocessing(),
)
SINABS_MNIST = Network(
    "MNIST CNN without biases or batch norm, float",
    DATA / "models" / "sinabs_mnist_cnn.onnx",
    MNIST_TEST,
    MNIST_TRAIN,
    Preprocessing(scale=1 / 255),
)
OWN_DIGITS = Network(
    "digits CNN of the demo, int8 QDQ",
    ROOT / "onnx2snn" / "demo_data" / "digits_cnn_int8.onnx",
    ROOT / "onnx2snn" / "demo_data" / "digits_heldout.npz",
    ROOT / "models" / "digits_calibration.npz",
    Preprocessing(scale=1 / 16),
)
OWN_MNIST = Network(
    "MNIST CNN of models/, float with batch norm",
    ROOT / "models" / "mnist_cnn_float.onnx",
    MNIST_TEST,
    MNIST_TRAIN,
    Preprocessing(scale=1 / 255),
)


def head(title: str, command: str) -> list[str]:
    """Title, command, date, machine and versions, as Markdown lines."""
    packages = ("onnx2snn", "onnx", "onnxruntime", "numpy")
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    return [
        f"# {title}",
        "",
        f"`{command}`, {date.today().isoformat()}, {os.cpu_count()} CPUs ({cpu_name()}), "
        f"Python {platform.python_version()}, {versions}.",
        "",
    ]


def cpu_name() -> str:
    """The processor, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def publish(name: str, lines: Sequence[str]) -> None:
    """Print a report and keep it under ``results/``."""
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join(lines).rstrip() + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
