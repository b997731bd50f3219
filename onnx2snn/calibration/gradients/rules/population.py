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
    size = shape[0] // rows
    later = backward.constant(0.0)  # what steps behind a row pass to it
    passed: list[str] = []
    kept: list[str] = []
    for row in reversed(range(rows)):
        error, open_ = (_row(backward, tensor, row, size, rows) for tensor in (gradient, passes))
        kept.append(backward.emit("Sub", [error, later]) if passed else error)
        later = backward.emit("Where", [open_, error, later])
        passed.append(later)
    every = _joined(backward, passed[::-1])
    turned = backward.emit("Mul", [_joined(backward, kept[::-1]), levers])
    backward.add(current, every)
    backward.add(shift, backward.summed_to(every, shape, backward.shapes[shift]))
    backward.add(theta, backward.summed_to(turned, shape, backward.shapes[theta]))
    for name in potential:
        charge = backward.summed_to(later, (size, *shape[1:]), backward.shapes[name])
        backward.add(name, backward.emit("Mul", [charge, theta]))


def _row(backward: Backward, tensor: str, row: int, size: int, rows: int) -> str:
    """One step of all samples."""
    if rows == 1:
        return tensor
    limits = (row * size, (row + 1) * size, 0)
    return backward.emit("Slice", [tensor, *(backward.whole([n]) for n in limits)])


def _joined(backward: Backward, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else backward.emit("Concat", parts, axis=0)
