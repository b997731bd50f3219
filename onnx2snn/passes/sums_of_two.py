"""Sum and Mean of several tensors become sums of two.

::

    Sum(a, b, c)   ──▶  Add(Add(a, b), c)
    Mean(a, b, c)  ──▶  Mul(Add(Add(a, b), c), 1/3)
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import insert_after, new_constant, remove, unique_name


def sums_of_two(canonical: CanonicalGraph) -> None:
    """Rewrite every Sum and Mean of float32 tensors."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op in {"Sum", "Mean"} and node.outputs[0].dtype == np.float32:
            _rewrite(graph, node)


def _rewrite(graph: gs.Graph, node: gs.Node) -> None:
    operands, output = list(node.inputs), node.outputs[0]
    made: list[gs.Node] = []

    def step(op: str, suffix: str, *inputs: gs.Tensor) -> gs.Variable:
        # The shape is left to inference: operands may be broadcast.
        result = gs.Variable(unique_name(graph, f"{node.name}_{suffix}_out"), output.dtype)
        name = unique_name(graph, f"{node.name}_{suffix}")
        made.append(gs.Node(op, name, inputs=list(inputs), outputs=[result]))
        insert_after(graph, node, made[-1:])
        return result

    total = operands[0]
    for i, operand in enumerate(operands[1:], start=1):
        total = step("Add", f"add{i}", total, operand)
    if node.op == "Mean" and len(operands) > 1:
        share = new_constant(graph, f"{node.name}_share", np.array(1 / len(operands), np.float32))
        step("Mul", "mean", total, share)
    if not made:
        node.op = "Identity"
        return
    remove(graph, node)
    made[-1].outputs = [output]
    graph.toposort()
