"""Populations of spiking neurons, back through the rows of their window.

What they pass on and how thresholds count is fed: :mod:`onnx2snn.calibration.slopes` has the
formulas.
"""

from __future__ import annotations

import onnx

from onnx2snn.calibration.gradients.backward import GRADIENTS, Backward, attributes


@GRADIENTS.register("Population")
def population(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """To the currents, the bias, the threshold, and the potential if that is a parameter."""
    current, theta, shift, passes, levers, *potential = node.input
    shape, rows = backward.shapes[current], attributes(node)["rows"]
    one = (shape[0] // rows, *shape[1:])
    passed, left = [], []
    later = backward.constant(0.0)
    for row in reversed(range(rows)):
        part = (row * one[0], (row + 1) * one[0]) if rows > 1 else None
        error = _part(backward, gradient, part)
        left.append(backward.emit("Sub", [error, later]))
        later = backward.emit("Where", [_part(backward, passes, part), error, later])
        passed.append(later)
    first = later
    every = _joined(backward, passed[::-1])
    turned = backward.emit("Mul", [_joined(backward, left[::-1]), levers])
    backward.add(current, every)
    backward.add(shift, backward.summed_to(every, shape, backward.shapes[shift]))
    backward.add(theta, backward.summed_to(turned, shape, backward.shapes[theta]))
    for name in potential:
        charge = backward.summed_to(first, one, backward.shapes[name])
        backward.add(name, backward.emit("Mul", [charge, theta]))


def _part(backward: Backward, tensor: str, part: tuple[int, int] | None) -> str:
    if part is None:
        return tensor
    begin, end = part
    return backward.emit("Slice", [tensor, *(backward.whole([n]) for n in (begin, end, 0))])


def _joined(backward: Backward, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else backward.emit("Concat", parts, axis=0)
