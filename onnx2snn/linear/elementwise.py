"""Add, Sub, Mul, Div and Neg."""

from __future__ import annotations

from math import inf

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, data_inputs, new_constant, rank
from onnx2snn.linear.base import LINEAR, Affine


def mixes_rows(node: gs.Node) -> str | None:
    """Why broadcasting of the operands does not treat samples alike; None if it does."""
    data = [node.inputs[i] for i in data_inputs(node)]
    ranks = {n for n in map(rank, data) if n}  # a single number has no batch axis
    if len(ranks) > 1:
        return "its operands have different numbers of axes"
    ndim = ranks.pop() if ranks else inf
    for tensor in node.inputs:
        value = constant(tensor)
        if value is not None and value.ndim == ndim and value.shape[0] != 1:
            return "its constant has one row for each sample"
        if value is not None and value.ndim > ndim:
            return "its constant has more axes than what it is combined with"
    return None


class _Sum(Affine):
    def reason(self, node: gs.Node) -> str | None:
        return mixes_rows(node)


class _Product(Affine):
    def reason(self, node: gs.Node) -> str | None:
        data = data_inputs(node)
        if len(data) != 1:
            return "it multiplies two computed tensors"
        if node.op == "Div" and data[0] == 1:
            return "it divides by a computed tensor"
        return mixes_rows(node)

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        factor = constant(node.inputs[1 - index])
        ndim = rank(node.inputs[index])
        if node.op != "Mul" or factor is None or ndim is None or factor.ndim > ndim:
            return False
        scaled = (factor * amplitude).astype(factor.dtype)
        node.inputs[1 - index] = new_constant(graph, f"{node.name}_factor", scaled)
        return True


class _Negation(Affine):
    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        return amplitude


LINEAR.register("Add", "Sub")(_Sum())
LINEAR.register("Mul", "Div")(_Product())
LINEAR.register("Neg")(_Negation())
