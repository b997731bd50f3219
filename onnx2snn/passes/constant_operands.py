"""One form for products and sums with constants.

::

    Neg(x)     ──▶  Mul(x, −1)
    Div(x, c)  ──▶  Mul(x, 1/c)
    Sub(x, c)  ──▶  Add(x, −c)
    Mul(c, x)  ──▶  Mul(x, c),  Add(c, x)  ──▶  Add(x, c)
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, data_inputs, input_at, new_constant


def constant_operands(canonical: CanonicalGraph) -> None:
    """Rewrite all of float32 values; a division by zero stays."""
    for node in canonical.graph.nodes:
        if node.op in {"Neg", "Div", "Sub", "Mul", "Add"} and (
            node.inputs[0].dtype == np.float32 and len(data_inputs(node)) == 1
        ):
            _rewrite(canonical.graph, node)


def _rewrite(graph: gs.Graph, node: gs.Node) -> None:
    value = constant(input_at(node, 1))
    if node.op == "Neg":
        node.op = "Mul"
        node.inputs = [
            node.inputs[0],
            new_constant(graph, f"{node.name}_factor", np.array(-1, dtype=np.float32)),
        ]
    elif node.op in {"Mul", "Add"} and constant(node.inputs[0]) is not None:
        node.inputs = [node.inputs[1], node.inputs[0]]
    elif node.op == "Div" and value is not None and value.all():
        with np.errstate(over="ignore"):  # checked in the next line
            inverse = (1 / value.astype(np.float64)).astype(np.float32)
        if np.isfinite(inverse).all():
            node.op = "Mul"
            node.inputs[1] = new_constant(graph, f"{node.name}_factor", inverse)
    elif node.op == "Sub" and value is not None:
        node.op = "Add"
        node.inputs[1] = new_constant(graph, f"{node.name}_addend", -value)
