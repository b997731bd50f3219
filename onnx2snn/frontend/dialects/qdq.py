"""QDQ: QuantizeLinear and DequantizeLinear around float operators.

This is the form to which every other quantized dialect is lowered. Weights stay
``integers ─▶ DequantizeLinear`` here (``passes/fold_quantized_constants.py`` makes them float);
activations keep their QuantizeLinear → DequantizeLinear pair, one DequantizeLinear for each
QuantizeLinear: it is an activation site, or part of one.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect
from onnx2snn.graphs import consumers, remove, rewire


def lower(canonical: CanonicalGraph) -> None:
    """Merge the readers of each quantizer."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op == "QuantizeLinear":
            _merge_dequantizers(graph, node)
    graph.cleanup()


def _merge_dequantizers(graph: gs.Graph, quantizer: gs.Node) -> None:
    readers = [n for n in consumers(quantizer.outputs[0]) if n.op == "DequantizeLinear"]
    for other in readers[1:]:
        if any(other.outputs[0] is o for o in graph.outputs):
            continue
        rewire(graph, other.outputs[0], readers[0].outputs[0])
        remove(graph, other)


DIALECTS.register("qdq")(Dialect("QDQ", frozenset({"QuantizeLinear", "DequantizeLinear"}), lower))
