"""QDQ: QuantizeLinear and DequantizeLinear around float operators.

Weights::

    q ──▶ DequantizeLinear ──▶ w      becomes the constant  w = (q − zero_point)·scale

Activations keep their QuantizeLinear → DequantizeLinear pair, one DequantizeLinear for each
QuantizeLinear: it is an activation site, or part of one.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect
from onnx2snn.graphs import constant, consumers, evaluate, new_constant, remove, rewire


def lower(canonical: CanonicalGraph) -> None:
    """Fold quantized constants and merge the readers of each quantizer."""
    graph = canonical.graph
    graph.toposort()
    for node in list(graph.nodes):
        if node.op in {"QuantizeLinear", "DequantizeLinear"} and all(
            isinstance(t, gs.Constant) or t.is_empty() for t in node.inputs
        ):
            _fold(graph, node)
    for node in graph.nodes:
        if node.op == "QuantizeLinear":
            _merge_dequantizers(graph, node)
    graph.cleanup()


def _fold(graph: gs.Graph, node: gs.Node) -> None:
    output = node.outputs[0]
    value = evaluate(node.op, [constant(t) for t in node.inputs], node.attrs, graph.opset)
    rewire(graph, output, new_constant(graph, f"{output.name}_value", value))
    remove(graph, node)


def _merge_dequantizers(graph: gs.Graph, quantizer: gs.Node) -> None:
    readers = [n for n in consumers(quantizer.outputs[0]) if n.op == "DequantizeLinear"]
    for other in readers[1:]:
        if any(other.outputs[0] is o for o in graph.outputs):
            continue
        rewire(graph, other.outputs[0], readers[0].outputs[0])
        remove(graph, other)


DIALECTS.register("qdq")(Dialect("QDQ", frozenset({"QuantizeLinear", "DequantizeLinear"}), lower))
