"""The figures behind decisions on single stages: weights of few bits, readouts, rnl.

ResNet-20, thresholds and biases from 128 training images (see docs/decisions 0029 to 0031).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from common import RESNET20, head, publish, table

from onnx2snn import ConversionPlan, convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation import evaluate
from onnx2snn_runtime import SpikingSession

Row = list[str]
SAMPLES = 128
DATA: dict[str, Any] = {
    "calibration_data": RESNET20.calibration,
    "preprocessing": RESNET20.preprocessing,
    "samples": SAMPLES,
}


def accuracy(model: Any, samples: int, steps: tuple[int, ...]) -> Row:
    """In percent, for each number of steps."""
    session = SpikingSession(model, threads=1)
    test = open_dataset(RESNET20.test, session.inputs, RESNET20.preprocessing).subset(samples)
    rows = evaluate(session, test, timesteps=steps).rows
    return [f"{100 * (row.accuracy or 0):.1f}" for row in rows]


def rounded(plan: ConversionPlan, bits: int) -> Any:
    """The file of a plan with rounded weights, potentials and biases as they were for others."""
    return convert(
        RESNET20.model, plan=replace(plan, config=replace(plan.config, weight_bits=bits))
    ).model


def weight_bits(samples: int) -> Iterator[Row]:
    """Recipe li2021-light at T = 8, with and without the second walk."""
    plain = convert(RESNET20.model, 8, recipe="li2021-light", **DATA)
    yield ["float32", *accuracy(plain.model, samples, (8,)), "–"]
    for bits in (8, 6, 4):
        found = convert(RESNET20.model, 8, recipe="li2021-light", weight_bits=bits, **DATA)
        before = accuracy(rounded(plain.plan, bits), samples, (8,))
        yield [f"{bits} bits", *before, *accuracy(found.model, samples, (8,))]


def readouts(samples: int) -> Iterator[Row]:
    """Plain and signed neurons with mmse thresholds at T = 8 and 16."""
    options: dict[str, Any] = {"threshold": "mmse", "avgpool": "linear", **DATA}
    for neuron in ("if", "signed-if"):
        for T in (8, 16):
            cells = [neuron, str(T)]
            for readout in (
                {},
                {"readout": "count"},
                *({"readout": "delayed", "readout_delay": k} for k in (1, T // 4, T // 2)),
            ):
                model = convert(RESNET20.model, T, neuron=neuron, **readout, **options).model
                cells += accuracy(model, samples, (T,))
            yield cells


def shares(samples: int) -> Iterator[Row]:
    """Recipe ding2021 with the shares that its threshold methods find, and with the maximum."""
    for threshold in ("max", "rnl", "rnl-layer"):
        found = convert(RESNET20.model, 32, recipe="ding2021", threshold=threshold, **DATA)
        told = [d.what for d in found.diagnostics if d.code == "SHARE_FOUND"]
        yield [threshold, *accuracy(found.model, samples, (8, 16, 32)), *(told or ["all"])]


PARTS = {
    "Weights of few bits": (
        weight_bits,
        ["weights", "rounded at the end", "biases calibrated once more"],
    ),
    "Readouts": (
        readouts,
        ["neuron", "T", "mean", "count", "delayed 1", "delayed T/4", "delayed T/2"],
    ),
    "Shares of the maximum": (
        shares,
        ["threshold", "T = 8", "T = 16", "T = 32", "share"],
    ),
}


def main() -> None:
    """All parts, or those asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="may be repeated")
    given = parser.parse_args()
    n = given.samples
    lines = head("Choices of single stages", f"python benchmarks/stage_choices.py --samples {n}")
    lines += [f"{RESNET20.name}. Accuracy in % on {n} test images.", ""]
    for title in given.part or PARTS:
        part, columns = PARTS[title]
        rows = list(part(n))
        lines += [f"## {title}", "", *((part.__doc__ or "").strip().splitlines()), ""]
        lines += table(columns, rows)
        print("\n".join(table(columns, rows)), flush=True)
    publish("stage_choices", lines)


if __name__ == "__main__":
    main()
