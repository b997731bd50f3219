"""Maximum and minimum with a number are activations.

::

    Max(x, 0)  ──▶  Relu(x)
    Max(x, c)  ──▶  Clip(x, lower = c)
    Min(x, c)  ──▶  Clip(x, upper = c)
    Max(x)     ──▶  Identity(x), and Min likewise
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import Array, constant, data_inputs, new_constant


def clip_from_extrema(canonical: CanonicalGraph) -> None:
    """Rewrite every Max and Min of one float32 tensor and at most one number."""
    for node in canonical.graph.nodes:
        if node.op in {"Max", "Min"}:
            _rewrite(canonical.graph, node)


def _rewrite(graph: gs.Graph, node: gs.Node) -> None:
    data = data_inputs(node)
    if len(data) != 1 or len(node.inputs) > 2 or node.inputs[data[0]].dtype != np.float32:
        return
    source = node.inputs[data[0]]
    if len(node.inputs) == 1:
        node.op = "Identity"
        return
    bound = _number(node.inputs[1 - data[0]], source)
    if bound is None:
        return
    if node.op == "Max" and bound == 0:
        node.op, node.inputs = "Relu", [source]
        return
    limit = new_constant(graph, f"{node.name}_bound", bound)
    absent = gs.Variable.empty()
    node.inputs = [source, limit] if node.op == "Max" else [source, absent, limit]
    node.op = "Clip"


def _number(operand: gs.Tensor, source: gs.Tensor) -> Array | None:
    """The constant as a scalar, if it is one number that does not add axes."""
    value = constant(operand)
    if value is None or value.size != 1 or value.ndim > len(source.shape or ()):
        return None
    return value.reshape(())
