"""Accuracy of every recipe, and of every stage alone, over T.

Needs from the data folder: ``models/akamaster_cifar10_resnet20.onnx`` and
``cifar10_{test,train}_lossless.npz``. Every file is converted anew for every T, since calibration
is for one T. Times are CPU seconds of the conversion, 256 calibration images.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from common import RESNET20, Network, head, publish, table

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation import evaluate
from onnx2snn.frontend import read_source
from onnx2snn.methods import RECIPES
from onnx2snn_runtime import SpikingSession

STEPS = (2, 4, 8, 16, 32)
#: What a row says, and the options of the conversion.
Way = tuple[str, dict[str, Any]]

FAMILIES: tuple[Way, ...] = (
    ("regression, if", {"recipe": "regression"}),
    ("regression, signed-if", {"recipe": "regression", "neuron": "signed-if"}),
    ("regression, asg", {"recipe": "regression", "neuron": "asg"}),
)
MMSE = {"threshold": "mmse", "avgpool": "linear"}
ABLATIONS: tuple[Way, ...] = (
    ("max, zero potential", {"recipe": "max-norm"}),
    ("mmse, zero potential", {**MMSE, "v_init": "zero"}),
    ("mmse, half", MMSE),
    ("… with spiking pools", {**MMSE, "avgpool": "spiking"}),
    ("… with bias calibration", {**MMSE, "bias": "calibrate"}),
    ("… with potential calibration", {**MMSE, "v_init": "calibrate"}),
    ("… with weights by descent", {**MMSE, "weights": "calibrate-sgd"}),
    ("… with weights by regression", {**MMSE, "weights": "calibrate-ls"}),
    ("… ic-weights", {**MMSE, "v_init": "ic-weights"}),
    ("… ic-data", {**MMSE, "v_init": "ic-data"}),
    ("… ic-compensated", {**MMSE, "v_init": "ic-compensated"}),
    ("search", {**MMSE, "threshold": "search"}),
    ("ctt", {**MMSE, "threshold": "ctt"}),
    ("mmse, signed-if", {**MMSE, "neuron": "signed-if"}),
    ("mmse, asg", {**MMSE, "neuron": "asg"}),
)


def measure(network: Network, options: dict[str, Any], timesteps: int, samples: int) -> list[str]:
    """Points lost, and CPU seconds of the conversion."""
    before = os.times()
    result = convert(
        network.model,
        timesteps,
        calibration_data=network.calibration,
        preprocessing=network.preprocessing,
        **options,
    )
    after = os.times()
    session = SpikingSession(result.model)
    test = open_dataset(network.test, session.inputs, network.preprocessing).subset(samples)
    measured = evaluate(session, test, timesteps=[timesteps], ann=read_source(network.model)[0])
    assert measured.ann_accuracy is not None
    lost = 100 * (measured.ann_accuracy - (measured.rows[-1].accuracy or 0))
    seconds = after.user + after.system - before.user - before.system
    return [f"{lost:.1f}", f"{seconds:.0f}"]


def report(network: Network, ways: Sequence[Way], steps: Sequence[int], samples: int) -> list[str]:
    """The table of some ways."""
    lines = []
    for name, options in ways:
        cells = [measure(network, options, t, samples) for t in steps]
        lines.append([name, *(lost for lost, _ in cells), cells[-1][1]])
        print(lines[-1], flush=True)
    return table(["", *(f"T = {t}" for t in steps), f"s at T = {steps[-1]}"], lines)


def main() -> None:
    """All recipes, the families with targets, and the ablations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1915)
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument(
        "--part", choices=["families", "recipes", "ablations"], nargs="+", default=["families"]
    )
    arguments = parser.parse_args()
    n, steps = arguments.samples, arguments.steps
    said = " ".join(map(str, steps))
    parts = " ".join(arguments.part)
    lines = head(
        "Recipes", f"python benchmarks/recipes.py --samples {n} --steps {said} --part {parts}"
    )
    lines += [f"{RESNET20.name}; points of accuracy lost against it, {n} test images.", ""]
    recipes = [(r.name, {"recipe": r.name}) for r in RECIPES if not r.emission]
    ways = {"families": FAMILIES, "recipes": recipes, "ablations": ABLATIONS}
    for part in arguments.part:
        lines += [f"## {part.capitalize()}", "", *report(RESNET20, ways[part], steps, n)]
    publish("recipes", lines)


if __name__ == "__main__":
    main()
