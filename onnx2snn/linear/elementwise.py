"""Add, Sub, Mul and Div."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, data_inputs, new_constant, rank
from onnx2snn.linear.base import LINEAR, Affine


def differs_by_row(node: gs.Node) -> bool:
    """Whether a constant operand has a batch axis of its own."""
    data = node.inputs[data_inputs(node)[0]]
    for tensor in node.inputs:
        value = constant(tensor)
        if value is not None and value.ndim == rank(data) and value.shape[0] != 1:
            return True
    return False


class _Sum(Affine):
    def reason(self, node: gs.Node) -> str | None:
        return "its constant has one row for each sample" if differs_by_row(node) else None


class _Product(Affine):
    def reason(self, node: gs.Node) -> str | None:
        data = data_inputs(node)
        if len(data) != 1:
            return "it multiplies two computed tensors"
        if node.op == "Div" and data[0] == 1:
            return "it divides by a computed tensor"
        return "its constant has one row for each sample" if differs_by_row(node) else None

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        factor = constant(node.inputs[1 - index])
        ndim = rank(node.inputs[index])
        if node.op != "Mul" or factor is None or ndim is None or factor.ndim > ndim:
            return False
        scaled = (factor * amplitude).astype(factor.dtype)
        node.inputs[1 - index] = new_constant(graph, f"{node.name}_factor", scaled)
        return True


LINEAR.register("Add", "Sub")(_Sum())
LINEAR.register("Mul", "Div")(_Product())
