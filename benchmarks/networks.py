"""Every network of the data folder: what becomes of it, and how well.

Needs the data folder as a whole. For each network: the share of its multiplications that becomes
spiking, accuracy of the source, of plain neurons with mmse thresholds from calibration data at
T = 32, and of the exact recipe where quantizers allow it. What cannot be converted is listed with
its reason.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import (
    CIFAR_TEST,
    CIFAR_TRAIN,
    DATA,
    IMAGENET_STYLE,
    MNIST_TEST,
    MNIST_TRAIN,
    Network,
    head,
    publish,
    table,
)
from imagenet import imagenet

from onnx2snn import Preprocessing, convert, inspect
from onnx2snn.calibration import open_dataset
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.evaluation import evaluate
from onnx2snn.frontend.runnable import runnable
from onnx2snn_runtime import SpikingSession

STEPS = 32
#: Quick, so that all networks can be run; the recipes do better.
MMSE = {"threshold": "mmse", "avgpool": "linear"}
VGG = Preprocessing(scale=1 / 255, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
DISTILLER = Preprocessing(
    scale=1 / 255, mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)
)
CIFAR100 = Preprocessing(scale=1 / 255, mean=(0.507, 0.487, 0.441), std=(0.267, 0.256, 0.276))
MOBILENET = Preprocessing(mean=(128.0,), std=(128.0,))
CIFAR = (CIFAR_TEST, CIFAR_TRAIN)
CIFAR_100 = (DATA / "cifar100_test_lossless.npz", DATA / "cifar100_train_lossless.npz")
MNIST = (MNIST_TEST, MNIST_TRAIN)

NETWORKS = [
    ("akamaster_cifar10_resnet20", CIFAR, IMAGENET_STYLE),
    ("akamaster_cifar10_resnet20_rawexport", CIFAR, IMAGENET_STYLE),
    ("akamaster_cifar10_resnet56", CIFAR, IMAGENET_STYLE),
    ("vgg16half_cifar10", CIFAR, VGG),
    ("distiller_cifar10_resnet8", CIFAR, DISTILLER),
    ("distiller_cifar10_wrn16_1", CIFAR, DISTILLER),
    ("distiller_cifar100_resnet20", CIFAR_100, CIFAR100),
    ("mlperftiny_cifar10_resnet8_bn_float", CIFAR, Preprocessing()),
    ("mlperftiny_cifar10_resnet8_float", CIFAR, Preprocessing()),
    ("mlperftiny_cifar10_resnet8_int8_qdq", CIFAR, Preprocessing()),
    ("mlperftiny_cifar10_resnet8_int8_qoperator_ort", CIFAR, Preprocessing()),
    ("hls4ml_cifar10_rn08_w8a8pow2_qdq", CIFAR, Preprocessing(scale=1 / 256)),
    ("hls4ml_cifar10_rn08_w8a8pow2_qonnx", CIFAR, Preprocessing(scale=1 / 256)),
    ("onnxzoo_mnist_cnn", MNIST, Preprocessing()),
    ("sinabs_mnist_cnn", MNIST, Preprocessing(scale=1 / 255)),
    ("qonnx_mnist_TFC_2W2A", MNIST, Preprocessing(scale=1 / 255)),
    ("qonnx_mnist_TFC_1W2A", MNIST, Preprocessing(scale=1 / 255)),
    ("coral_imagenet_mobilenet_v1_0.25_128_quant_qdq", None, MOBILENET),
]


def outcome(network: Network, samples: int, recipe: str, timesteps: int | None) -> list[str]:
    """Cells: populations, T, accuracy of source and spiking network, agreement; or the refusal."""
    options = MMSE | {"calibration_data": network.calibration} if recipe == "auto" else {}
    try:
        result = convert(
            network.model,
            timesteps,
            recipe=recipe,
            preprocessing=network.preprocessing,
            **options,
        )
        session = SpikingSession(result.model)
        test = open_dataset(network.test, session.inputs, network.preprocessing).subset(samples)
        T = session.timesteps
        found = evaluate(session, test, timesteps=(T,), ann=runnable(network.model))
    except Onnx2SnnError as error:
        return ["", "", "", "", error.what]
    row = found.rows[0]
    shares = (found.ann_accuracy, row.accuracy, row.agreement)
    return [str(len(session.populations)), str(T), *map(_percent, shares)]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def main() -> None:
    """All networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--only", help="networks whose name contains this")
    arguments = parser.parse_args()
    n = arguments.samples
    coverage, accuracy = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, data, preprocessing in NETWORKS:
            if arguments.only and arguments.only not in name:
                continue
            found = imagenet(Path(folder)) if data is None else data
            model = DATA / "models" / f"{name}.onnx"
            coverage.append([name, *_coverage(model)])
            print(coverage[-1], flush=True)
            if found is None:
                accuracy.append([name, "", "", "", "", "", "not measured: needs Pillow"])
                continue
            network = Network(name, model, *found, preprocessing)
            for recipe, steps in (("auto", STEPS), ("exact-radix", None)):
                label = "mmse, linear pools" if recipe == "auto" else recipe
                accuracy.append([name, label, *outcome(network, n, recipe, steps)])
                print(accuracy[-1], flush=True)
    lines = head("Every network", f"python benchmarks/networks.py --samples {n}")
    lines += ["## Coverage", ""]
    lines += table(
        ["network", "dialect", "operators", "spiking share of MACs", "remarks"], coverage
    )
    lines += ["## Accuracy", "", f"In %, on {n} images.", ""]
    columns = ["network", "recipe", "populations", "T", "source", "spiking", "agreement"]
    publish("networks", lines + table(columns, accuracy))


def _coverage(model: Path) -> list[str]:
    """Cells: dialect, operators, share of multiplications in time, what is said of it."""
    try:
        seen = inspect(model)
    except Onnx2SnnError as error:
        return ["", "", "", error.what]
    operators = ", ".join(f"{count} {op}" for op, count in sorted(seen.source.operators.items()))
    share = seen.workload.share_in_time
    remarks = "; ".join(d.what for d in seen.diagnostics if d.severity != "info")
    shown = "" if share is None else f"{100 * share:.1f} %"
    return [", ".join(seen.source.dialects), operators, shown, remarks]


if __name__ == "__main__":
    main()
