"""Gemm and MatMul with constant weights: the amplitude scales the rows of the matrix.

A MatMul may have its weights on the left; then the matrix acts on the axis before the last.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, new_constant, rank
from onnx2snn.linear.base import LINEAR, Affine, is_uniform


class _Matrix(Affine):
    def reason(self, node: gs.Node) -> str | None:
        if node.op == "MatMul" and constant(input_at(node, 0)) is not None:
            return _left_reason(node)
        if constant(input_at(node, 1)) is None:
            return "it multiplies two computed tensors"
        if node.op == "Gemm" and node.attrs:
            return "its bias is computed from the input"
        return _stack_reason(node)

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        weights = constant(input_at(node, 1 - index)) if index < 2 else None
        if weights is None:
            return False
        if is_uniform(amplitude):
            scaled = weights * amplitude.reshape(-1)
        elif (
            index == 0
            and rank(node.inputs[0]) == weights.ndim == 2
            and amplitude.size == weights.shape[0]
        ):
            scaled = weights * amplitude.reshape(-1, 1)
        else:
            return False
        node.inputs[1 - index] = new_constant(
            graph, f"{node.name}_weight", scaled.astype(weights.dtype)
        )
        return True


def _stack_reason(node: gs.Node) -> str | None:
    """Why a stack of matrices on the right may not act on rows."""
    weights, ndim = constant(node.inputs[1]), rank(node.inputs[0])
    if weights is None or ndim is None or weights.ndim < ndim or weights.ndim == 2:
        return None
    if weights.ndim > ndim or weights.shape[0] != 1:
        return "its weights have one matrix for each sample"
    return None


def _left_reason(node: gs.Node) -> str | None:
    """Why a MatMul with weights on the left may not act on rows."""
    weights, ndim = constant(node.inputs[0]), rank(node.inputs[1])
    assert weights is not None
    if ndim is None or ndim < 3:
        return "it multiplies along the batch axis"
    if weights.ndim > ndim or (weights.ndim == ndim and weights.shape[0] != 1):
        return "its weights have one matrix for each sample"
    return None


LINEAR.register("Gemm", "MatMul")(_Matrix())
