"""Sums and products with broadcasting, and what clips."""

from __future__ import annotations

import onnx

from onnx2snn.calibration.gradients.backward import GRADIENTS, Backward


@GRADIENTS.register("Identity")
def identity(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient itself."""
    backward.add(node.input[0], gradient)


@GRADIENTS.register("Add")
def add(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient itself, to both."""
    for name in node.input:
        _share(backward, node, name, gradient)


@GRADIENTS.register("Sub")
def subtract(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient to the first, its negative to the second."""
    first, second = node.input
    _share(backward, node, first, gradient)
    if backward.wants(second):
        _share(backward, node, second, backward.emit("Neg", [gradient]))


@GRADIENTS.register("Mul")
def multiply(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient times the other factor."""
    for name, other in (tuple(node.input), tuple(node.input)[::-1]):
        if backward.wants(name):
            _share(backward, node, name, backward.emit("Mul", [gradient, other]))


@GRADIENTS.register("Div")
def divide(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """d(x/y) = dx/y − (x/y)·dy/y."""
    x, y = node.input
    scaled = backward.emit("Div", [gradient, y])
    _share(backward, node, x, scaled)
    if backward.wants(y):
        product = backward.emit("Mul", [scaled, node.output[0]])
        _share(backward, node, y, backward.emit("Neg", [product]))


@GRADIENTS.register("Clip")
def clip(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient where nothing was clipped."""
    x = node.input[0]
    inside = backward.emit("Equal", [x, node.output[0]])
    backward.add(x, backward.emit("Where", [inside, gradient, backward.constant(0.0)]))


def _share(backward: Backward, node: onnx.NodeProto, name: str, gradient: str) -> None:
    if backward.wants(name):
        shapes = backward.shapes
        whole = backward.summed_to(gradient, shapes[node.output[0]], shapes[name])
        backward.add(name, whole)
