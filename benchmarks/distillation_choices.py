"""What choices within distillation are worth (docs/decisions/0036, 0037): one changed at a time.

ResNet-20, 256 training images, recipe ``distill``. Needs the data folder.
"""

from __future__ import annotations

import argparse
import shlex
from types import ModuleType
from typing import Any
from unittest.mock import patch

from cells import Row, measure
from common import RESNET20, head, publish, table

from onnx2snn.calibration import descent, optimizer
from onnx2snn.methods.tuning import distill

#: What a row says; what is set to what; options of the conversion.
CHOICES: tuple[tuple[str, ModuleType, str, Any, dict[str, str]], ...] = (
    ("as it is", descent, "POPULATIONS", descent.POPULATIONS, {}),
    ("Adam for weights too", optimizer, "LARGEST", 0, {}),
    ("populations weigh 1", descent, "POPULATIONS", 1, {}),
    ("populations weigh 4", descent, "POPULATIONS", 4, {}),
    ("populations weigh 100", descent, "POPULATIONS", 100, {}),
    ("all neurons rounded", distill, "UNROUNDED", 0, {}),
    ("back through means", distill, "LONGEST", 0, {}),
    ("images as they are", descent, "POPULATIONS", descent.POPULATIONS, {"augment": "none"}),
)


def measured(neuron: str, timesteps: int, samples: int, options: dict[str, str]) -> list[str]:
    """Points lost, agreement with the source in percent, CPU seconds of the conversion."""
    chosen = {"recipe": "distill", "neuron": neuron, **options}
    [found] = measure(Row("", RESNET20, chosen, (timesteps,), samples), timesteps, [timesteps])
    assert found.lost is not None
    assert found.agreement is not None
    return [
        f"{found.lost:.2f}",
        f"{100 * found.agreement:.1f}",
        f"{found.calibration_seconds:.0f}",
    ]


def main() -> None:
    """A table of all choices, or of those asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neuron", default="asg", choices=("asg", "signed-if", "if"))
    parser.add_argument("-T", "--timesteps", type=int, default=2)
    parser.add_argument("--samples", type=int, default=1915)
    parser.add_argument("--only", nargs="+", default=[""], help="rows that contain one of these")
    given = parser.parse_args()
    lines = []
    for label, module, name, value, options in CHOICES:
        if any(word in label for word in given.only):
            with patch.object(module, name, value):
                cells = measured(given.neuron, given.timesteps, given.samples, options)
            lines.append([label, *cells])
            print(lines[-1], flush=True)
    told = f"--neuron {given.neuron} -T {given.timesteps} --samples {given.samples}"
    if any(given.only):
        told += " --only " + shlex.join(given.only)
    text = head("Choices within distillation", f"python benchmarks/distillation_choices.py {told}")
    text += [
        f"{RESNET20.name}; {given.neuron}, T = {given.timesteps}, {given.samples:,} test images, "
        "256 for calibration. Runs that differ in nothing but their draws lie up to a point apart.",
        "",
    ]
    publish("distillation_choices", text + table(["", "points lost", "agreement", "CPU s"], lines))


if __name__ == "__main__":
    main()
