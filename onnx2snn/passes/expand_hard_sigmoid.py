"""HardSigmoid becomes a Clip of a line, which a population can be.

::

    HardSigmoid(x; alpha, beta)  ──▶  Clip(alpha·x + beta, 0, 1)
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import insert_after, new_constant, unique_name

DEFAULT_ALPHA, DEFAULT_BETA = 0.2, 0.5


def expand_hard_sigmoid(canonical: CanonicalGraph) -> None:
    """Rewrite every HardSigmoid of float32 values."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op == "HardSigmoid" and node.inputs[0].dtype == np.float32:
            _expand(graph, node)


def _expand(graph: gs.Graph, node: gs.Node) -> None:
    source, output, name = node.inputs[0], node.outputs[0], node.name

    def number(value: float, suffix: str) -> gs.Constant:
        return new_constant(graph, f"{name}_{suffix}", np.array(value, dtype=np.float32))

    def between(suffix: str) -> gs.Variable:
        return gs.Variable(unique_name(graph, f"{name}_{suffix}_out"), output.dtype, output.shape)

    slope = number(float(node.attrs.get("alpha", DEFAULT_ALPHA)), "alpha")
    offset = number(float(node.attrs.get("beta", DEFAULT_BETA)), "beta")
    scaled, shifted = between("scaled"), between("shifted")
    before = [
        gs.Node("Mul", unique_name(graph, f"{name}_scale"), {}, [source, slope], [scaled]),
        gs.Node("Add", unique_name(graph, f"{name}_shift"), {}, [scaled, offset], [shifted]),
    ]
    node.op, node.attrs = "Clip", {}
    node.inputs = [shifted, number(0.0, "lower"), number(1.0, "upper")]
    insert_after(graph, node, before)
    graph.toposort()
