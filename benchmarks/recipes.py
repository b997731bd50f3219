"""Accuracy of every recipe on trained networks, and what each stage contributes, over T.

Needs the data folder. Every measured cell is a line of ``results/recipes.jsonl``; a second run
measures only what is missing there, and writes the tables anew. Conversions use 256 calibration
images (250 on ImageNet) and seed 0. A file that is good for any T is simulated once, with answers
after every step; one that is for its T is converted for every T. CPU seconds are those of the
conversion, of all threads together.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cells import Row, fill
from common import DATA, MADE, OWN_MNIST, RESNET20, RESULTS, Network, publish
from imagenet import archives, imagenet
from networks import NETWORKS
from quantize import quantized
from questions import DIGITS, FAMILIES, PROTOTYPE, QUESTIONS, Question
from recipe_tables import answers, lost_tables
from records import Records, circumstances_of

from onnx2snn.methods import RECIPES

STEPS = (8, 4, 16, 2, 32, 1, 64, 128)
PARTS = {
    "families": (FAMILIES,),
    "mnist": (DIGITS,),
    "prototype": (PROTOTYPE,),
    "elsewhere": (),
    "recipes": (),
    "ablations": QUESTIONS,
}
#: Names of networks and how many test images are enough for a table.
MEASURED = {
    "akamaster_cifar10_resnet20": (RESNET20.name, 500),
    "sinabs_mnist_cnn": ("MNIST CNN without biases, float", 1000),
    "onnxzoo_mnist_cnn": ("MNIST CNN of the ONNX model zoo, float", 300),
    "mlperftiny_cifar10_resnet8_bn_float": ("MLPerf Tiny ResNet-8, CIFAR-10, float", 200),
    "mlperftiny_cifar10_resnet8_int8_qdq": ("MLPerf Tiny ResNet-8, CIFAR-10, int8 QDQ", 200),
    "vgg16half_cifar10": ("VGG-16 at half width, CIFAR-10, float", 100),
    "hls4ml_cifar10_rn08_w8a8pow2_qdq": ("hls4ml ResNet-8, CIFAR-10, 8-bit QDQ", 200),
    "coral_imagenet_mobilenet_v1_0.25_128_quant_qdq": ("MobileNet 0.25, ImageNet, uint8 QDQ", 100),
}
#: Where the best recipe of each neuron model is measured too.
ELSEWHERE = (
    "mlperftiny_cifar10_resnet8_bn_float",
    "vgg16half_cifar10",
    "coral_imagenet_mobilenet_v1_0.25_128_quant_qdq",
)
QUANTIZED = ("int8_qdq", "pow2_qdq", "quant_qdq")
#: Recipes that are measured up to 128 steps: one file serves all T, or needs that many.
FREE = ("max-norm", "robust-norm", "opi", "gao2023")
LONGEST = 64
#: Images for calibration, unless a question says otherwise.
CALIBRATION = 256
INTRODUCTION = """Cells are points of accuracy lost against the source network; negative ones are \
gains, by chance. What is empty was not measured; the command above, with the part, network and T \
that are missing, goes on from there. The last column is the CPU time of the conversion with 256 \
calibration images, for the smallest and the largest T. [What a recipe is](../../docs/methods.md); \
exact ones are in [exactness.md](exactness.md). gao2023 needs a step for each level: 128 \
for codes up to 127, 256 for codes up to 255. What each stage contributes is in \
[ablations.md](ablations.md)."""
ABLATION = """Every table changes one stage and leaves the others alone. Cells are points of \
accuracy lost against the source network, after calibration with 128 images. With 300 test images \
a point is three images: differences below about two points are chance."""


def rows_of(part: str, networks: Iterable[tuple[Network, int]], samples: int | None) -> list[Row]:
    """All rows of a part; ablations come question by question."""
    if part != "recipes":
        questions = elsewhere(networks) if part == "elsewhere" else PARTS[part]
        return [row for question in questions for row in rows_of_question(question, samples)]
    return [
        Row(name, network, options, steps, samples or enough)
        for network, enough in networks
        for name, options, steps in _recipes(network)
    ]


def elsewhere(networks: Iterable[tuple[Network, int]]) -> list[Question]:
    """The best recipes on other networks; nothing is claimed of them."""
    return [
        replace(
            FAMILIES,
            title="Best recipe of each neuron model",
            source=network.name.split(",")[0],
            claims=(),
            network=network,
            steps=(4, 8, 16),
            samples=enough,
        )
        for network, enough in networks
        if network.model.stem in ELSEWHERE
    ]


def rows_of_question(question: Question, samples: int | None) -> list[Row]:
    """The rows of one question."""
    n = samples or question.samples
    fewer = {} if question.calibration == CALIBRATION else {"samples": question.calibration}
    return [
        Row(label, question.network, {**options, **fewer}, question.steps, n)
        for label, options in question.rows.items()
    ]


def _recipes(network: Network) -> Iterable[tuple[str, dict[str, Any], tuple[int, ...]]]:
    """Name, options and T of every recipe but the exact ones, which have a report of their own."""
    for recipe in sorted(RECIPES, key=lambda r: (r.name in ("auto", "regression"), r.name)):
        if recipe.is_exact:
            continue
        most = max(STEPS) if recipe.name in FREE else LONGEST
        steps = tuple(sorted(t for t in STEPS if t <= most))
        quantized = network.model.stem.endswith(QUANTIZED)
        if recipe.emission and not quantized:
            options = {"recipe": recipe.name, "quantize": 8}
            yield f"{recipe.name}, quantized to 8 bits first", options, steps
        else:
            yield recipe.name, {"recipe": recipe.name}, steps


def listed_networks() -> list[tuple[Network, int]]:
    """All networks, and numbers of test images."""
    known = {name: (data, preprocessing) for name, data, preprocessing in NETWORKS}
    found = []
    for name, (title, samples) in MEASURED.items():
        data, preprocessing = known[name]
        test, calibration = data or archives(MADE)
        model = DATA / "models" / f"{name}.onnx"
        found.append((Network(title, model, test, calibration, preprocessing), samples))
    found.insert(1, (OWN_MNIST, 2000))
    return found


def main() -> None:
    """Measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=[])
    parser.add_argument("--network", default="", help="those whose file name contains this")
    parser.add_argument("--only", nargs="+", default=[""], help="rows whose label has one of these")
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--samples", type=int, help="test images, in place of each part's own")
    parser.add_argument("--again", action="store_true", help="measure known cells anew")
    arguments = parser.parse_args()
    records = Records(RESULTS / "recipes.jsonl")
    networks = listed_networks()
    rows = [
        row
        for part in arguments.part
        for row in rows_of(part, networks, arguments.samples)
        if any(word in row.label for word in arguments.only)
        and arguments.network in row.network.model.stem
    ]
    _prepare(rows)
    fill(rows, arguments.steps, records, again=arguments.again)
    _publish(networks, records, arguments.samples)


def _prepare(rows: Iterable[Row]) -> None:
    """Make what rows need and is not there yet."""
    MADE.mkdir(exist_ok=True)
    for row in rows:
        if row.network.test.parent == MADE and not row.network.test.exists():
            imagenet(MADE)
        if row.network.model.parent == MADE and not row.network.model.exists():
            quantized(RESNET20, row.network.model)


def _publish(networks: list[tuple[Network, int]], records: Records, samples: int | None) -> None:
    """Two reports: accuracy, and what stages contribute."""
    told = ["", circumstances_of(records), ""]
    lines = ["# Recipes", "", "`python benchmarks/recipes.py`", *told, INTRODUCTION, ""]
    for question in (FAMILIES, DIGITS, *elsewhere(networks), PROTOTYPE):
        lines += answers(question, rows_of_question(question, samples), records)
    lines += ["## All recipes", "", *lost_tables(rows_of("recipes", networks, samples), records)]
    publish("recipes", lines)
    lines = ["# What each stage contributes", "", "`python benchmarks/recipes.py --part ablations`"]
    lines += [*told, ABLATION, ""]
    for question in QUESTIONS:
        lines += answers(question, rows_of_question(question, samples), records)
    publish("ablations", lines)


if __name__ == "__main__":
    main()
