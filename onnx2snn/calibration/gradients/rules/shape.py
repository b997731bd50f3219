"""Operators that move values."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn.calibration.gradients.backward import (
    GRADIENTS,
    Backward,
    NoGradientError,
    attributes,
    constant_input,
)


@GRADIENTS.register("Reshape")
@GRADIENTS.register("Flatten")
@GRADIENTS.register("Squeeze")
@GRADIENTS.register("Unsqueeze")
def reshape(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient in the shape of the input."""
    backward.add(node.input[0], backward.reshaped(gradient, backward.shapes[node.input[0]]))


@GRADIENTS.register("Transpose")
def transpose(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The way back."""
    rank = len(backward.shapes[node.input[0]])
    order = attributes(node).get("perm", list(range(rank))[::-1])
    back = [int(i) for i in np.argsort(order)]
    backward.add(node.input[0], backward.emit("Transpose", [gradient], perm=back))


@GRADIENTS.register("Concat")
def concat(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """Each input gets its part."""
    axis, start = attributes(node)["axis"] % len(backward.shapes[node.output[0]]), 0
    axes = backward.whole([axis])
    for name in node.input:
        end = start + backward.shapes[name][axis]
        if backward.wants(name):
            limits = [backward.whole([start]), backward.whole([end])]
            backward.add(name, backward.emit("Slice", [gradient, *limits, axes]))
        start = end


@GRADIENTS.register("Pad")
def pad(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """What was added is cut off."""
    pads, axes = constant_input(backward, node, 1), constant_input(backward, node, 3)
    known = attributes(node).get("mode", b"constant") == b"constant"
    if pads is None or axes is not None or (pads < 0).any() or not known:
        raise NoGradientError(f"Pad '{node.name}' does more than add a constant")
    shape = backward.shapes[node.input[0]]
    starts = pads[: len(shape)].tolist()
    ends = [s + n for s, n in zip(starts, shape, strict=True)]
    limits = [backward.whole(starts), backward.whole(ends)]
    backward.add(node.input[0], backward.emit("Slice", [gradient, *limits]))


@GRADIENTS.register("Slice")
def slice_(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """Zeros where nothing was taken: between, before and behind."""
    shape = backward.shapes[node.input[0]]
    starts, ends, axes, steps = (constant_input(backward, node, i) for i in range(1, 5))
    if starts is None or ends is None:
        raise NoGradientError(f"Slice '{node.name}' has no limits")
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones_like(starts) if steps is None else steps
    if (steps < 1).any():
        raise NoGradientError(f"Slice '{node.name}' runs backwards")
    now = list(backward.shapes[node.output[0]])
    before, behind = [0] * len(shape), [0] * len(shape)
    for axis, start, end, step in zip(axes % len(shape), starts, ends, steps, strict=True):
        first, _, _ = slice(int(start), int(end), int(step)).indices(shape[axis])
        gradient = _spaced(backward, gradient, now, int(axis), int(step))
        before[axis] = first
        behind[axis] = shape[axis] - first - now[axis]
    if any(before) or any(behind):
        gradient = backward.emit("Pad", [gradient, backward.whole([*before, *behind])])
    backward.add(node.input[0], gradient)


def _spaced(backward: Backward, gradient: str, now: list[int], axis: int, step: int) -> str:
    """With step − 1 zeros between two values along an axis; ``now`` is the shape, changed."""
    if step == 1:
        return gradient
    apart = backward.reshaped(gradient, [*now[: axis + 1], 1, *now[axis + 1 :]])
    pads = [0] * (2 * len(now) + 2)
    pads[len(now) + axis + 2] = step - 1
    filled = backward.emit("Pad", [apart, backward.whole(pads)])
    length = now[axis]
    now[axis] = length * step
    joined = backward.reshaped(filled, now)
    now[axis] = (length - 1) * step + 1
    limits = [backward.whole([0]), backward.whole([now[axis]]), backward.whole([axis])]
    return backward.emit("Slice", [joined, *limits])
