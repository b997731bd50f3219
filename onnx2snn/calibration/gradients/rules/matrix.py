"""Products with a matrix of weights."""

from __future__ import annotations

import onnx

from onnx2snn.calibration.gradients.backward import (
    GRADIENTS,
    Backward,
    NoGradientError,
    attributes,
)


@GRADIENTS.register("Gemm")
def gemm(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """DX = dY·Wᵀ, dW = Xᵀ·dY; the bias is broadcast."""
    known = attributes(node)
    if known.get("transA", 0) or known.get("alpha", 1.0) != 1.0 or known.get("beta", 1.0) != 1.0:
        raise NoGradientError(f"Gemm '{node.name}' scales or transposes its input")
    transposed = bool(known.get("transB", 0))
    x, weight = node.input[:2]
    if backward.wants(x):
        backward.add(x, backward.emit("Gemm", [gradient, weight], transB=int(not transposed)))
    if backward.wants(weight):
        factors = [gradient, x] if transposed else [x, gradient]
        backward.add(weight, backward.emit("Gemm", factors, transA=1))
    if len(node.input) > 2 and backward.wants(node.input[2]):
        shapes = backward.shapes
        bias = node.input[2]
        backward.add(bias, backward.summed_to(gradient, shapes[node.output[0]], shapes[bias]))


@GRADIENTS.register("MatMul")
def matmul(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The same for rows of any number of axes; the weights are a matrix."""
    x, weight = node.input
    if len(backward.shapes[weight]) != 2 or len(backward.shapes[x]) < 2:
        raise NoGradientError(f"MatMul '{node.name}' has other weights than a matrix")
    inner, outer = backward.shapes[weight]
    if backward.wants(x):
        turned = backward.emit("Transpose", [weight], perm=[1, 0])
        backward.add(x, backward.emit("MatMul", [gradient, turned]))
    if backward.wants(weight):
        rows = backward.reshaped(x, (-1, inner))
        errors = backward.reshaped(gradient, (-1, outer))
        backward.add(weight, backward.emit("Gemm", [rows, errors], transA=1))
