"""Quantized weights become float weights.

::

    q ──▶ DequantizeLinear ──▶ w      becomes the constant  w = (q − zero_point)·scale

Exact networks work on the integers themselves and do without this pass.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, evaluate, new_constant, remove, rewire


def fold_quantized_constants(canonical: CanonicalGraph) -> None:
    """Compute every QuantizeLinear and DequantizeLinear of constants."""
    graph = canonical.graph
    graph.toposort()
    for node in list(graph.nodes):
        if node.op in {"QuantizeLinear", "DequantizeLinear"} and all(
            isinstance(t, gs.Constant) or t.is_empty() for t in node.inputs
        ):
            _fold(graph, node)
    graph.cleanup()


def _fold(graph: gs.Graph, node: gs.Node) -> None:
    output = node.outputs[0]
    value = evaluate(node.op, [constant(t) for t in node.inputs], node.attrs, graph.opset)
    rewire(graph, output, new_constant(graph, f"{output.name}_value", value))
    remove(graph, node)
