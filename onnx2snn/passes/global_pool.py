"""Means and maxima over all places of an image become one form.

::

    ReduceMean(x, axes = all spatial)        ──▶   GlobalAveragePool(x) [─▶ Flatten]
    GlobalAveragePool(x), size known         ──▶   AveragePool(x, kernel_shape = size)

ReduceMax and GlobalMaxPool likewise.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, input_at, insert_after, rank, sample_shape, unique_name

GLOBAL = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}
LOCAL = {"GlobalAveragePool": "AveragePool", "GlobalMaxPool": "MaxPool"}


def global_pool(canonical: CanonicalGraph) -> None:
    """Rewrite spatial means and maxima of float32 values."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op in GLOBAL and node.inputs[0].dtype == np.float32 and _is_spatial(node):
            _to_global_pool(graph, node)
    for node in graph.nodes:
        size = sample_shape(node.inputs[0]) if node.op in LOCAL else None
        if size is not None:
            node.op = LOCAL[node.op]
            node.attrs = {"kernel_shape": list(size[1:])}


def _axes(node: gs.Node) -> set[int] | None:
    axes = constant(input_at(node, 1))
    given = axes.tolist() if axes is not None else node.attrs.get("axes")
    ndim = rank(node.inputs[0])
    return None if given is None or ndim is None else {int(a) % ndim for a in given}


def _is_spatial(node: gs.Node) -> bool:
    ndim = rank(node.inputs[0])
    return ndim is not None and ndim > 2 and _axes(node) == set(range(2, ndim))


def _to_global_pool(graph: gs.Graph, node: gs.Node) -> None:
    keeps = bool(node.attrs.get("keepdims", 1))
    node.op, node.attrs = GLOBAL[node.op], {}
    node.inputs = node.inputs[:1]
    if keeps:
        return
    source, output = node.inputs[0], node.outputs[0]
    shape = [*source.shape[:2], *([1] * (len(source.shape) - 2))]
    pooled = gs.Variable(unique_name(graph, f"{output.name}_pooled"), np.float32, shape)
    node.outputs = [pooled]
    name = unique_name(graph, f"{node.name}_flatten")
    insert_after(
        graph, node, [gs.Node("Flatten", name, {"axis": 1}, inputs=[pooled], outputs=[output])]
    )
