"""Gemm and MatMul with constant weights: the amplitude scales the rows of the matrix."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, new_constant, rank
from onnx2snn.linear.base import LINEAR, Affine, is_uniform


class _Matrix(Affine):
    def reason(self, node: gs.Node) -> str | None:
        if constant(input_at(node, 1)) is None:
            return "it multiplies two computed tensors"
        if node.op == "Gemm" and node.attrs:
            return "its bias is computed from the input"
        return None

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        weights = constant(input_at(node, 1))
        if index != 0 or weights is None:
            return False
        if is_uniform(amplitude):
            scaled = weights * amplitude.reshape(-1)
        elif rank(node.inputs[0]) == 2 and amplitude.size == weights.shape[-2]:
            scaled = weights * amplitude.reshape(-1, 1)
        else:
            return False
        node.inputs[1] = new_constant(graph, f"{node.name}_weight", scaled.astype(weights.dtype))
        return True


LINEAR.register("Gemm", "MatMul")(_Matrix())
