"""One form for fully connected layers: Gemm(x, W[K, M], b[M]) with alpha = beta = 1, no transpose.

::

    MatMul(x[N, K], W)                          ──▶   Gemm(x, W)
    Gemm(x, Wᵀ, b; alpha, beta, transB)         ──▶   Gemm(x, alpha·W, beta·b)
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, input_at, new_constant, rank


def normalise_gemm(canonical: CanonicalGraph) -> None:
    """Rewrite every Gemm and MatMul whose second operand is a constant matrix."""
    graph = canonical.graph
    for node in graph.nodes:
        if node.op == "MatMul" and rank(node.inputs[0]) == 2 and _is_matrix(node):
            node.op = "Gemm"
        if node.op == "Gemm" and _is_matrix(node) and not node.attrs.get("transA", 0):
            _normalise(graph, node)


def _is_matrix(node: gs.Node) -> bool:
    weights = constant(input_at(node, 1))
    return weights is not None and weights.ndim == 2


def _normalise(graph: gs.Graph, node: gs.Node) -> None:
    weights = constant(node.inputs[1])
    assert weights is not None
    if node.attrs.get("transB", 0):
        weights = weights.T
    weights = weights * weights.dtype.type(node.attrs.get("alpha", 1.0))
    bias = constant(input_at(node, 2))
    if input_at(node, 2) is not None and bias is None:
        return
    inputs = [node.inputs[0], new_constant(graph, f"{node.name}_weight", weights)]
    if bias is not None:
        scaled = np.broadcast_to(bias, (1, weights.shape[1]))[0] if bias.ndim < 2 else bias
        if scaled.ndim == 2 and scaled.shape[0] == 1:
            scaled = np.broadcast_to(scaled, (1, weights.shape[1]))[0]
        if scaled.ndim != 1:
            return
        scaled = scaled * scaled.dtype.type(node.attrs.get("beta", 1.0))
        inputs.append(new_constant(graph, f"{node.name}_bias", scaled))
    node.inputs = inputs
    node.attrs = {}
