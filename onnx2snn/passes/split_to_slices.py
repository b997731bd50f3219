"""A Split becomes one Slice for each output that is read.

::

    a, b = Split(x, axis = 1, split = [2, 3])  ──▶  a = Slice(x, 0:2), b = Slice(x, 2:5)
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import (
    constant,
    consumers,
    input_at,
    insert_after,
    is_output,
    new_constant,
    rank,
    remove,
    unique_name,
)


def split_to_slices(canonical: CanonicalGraph) -> None:
    """Rewrite every Split whose parts' lengths are known."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op == "Split":
            lengths = _lengths(node)
            if lengths is not None:
                _rewrite(graph, node, lengths)


def _axis(node: gs.Node) -> int | None:
    ndim = rank(node.inputs[0])
    return None if ndim is None else int(node.attrs.get("axis", 0)) % ndim


def _lengths(node: gs.Node) -> list[int] | None:
    axis = _axis(node)
    if axis is None:
        return None
    if input_at(node, 1) is not None:
        given = constant(node.inputs[1])
        return None if given is None else [int(n) for n in given]
    length = node.inputs[0].shape[axis]
    if not isinstance(length, (int, np.integer)):
        return None
    count = len(node.outputs)
    part = -(-int(length) // count)  # the last one may be shorter
    return [part] * (count - 1) + [int(length) - part * (count - 1)]


def _rewrite(graph: gs.Graph, node: gs.Node, lengths: list[int]) -> None:
    source, axis = node.inputs[0], _axis(node)
    parts = list(node.outputs)
    node.outputs.clear()
    made = []
    start = 0
    for i, (part, length) in enumerate(zip(parts, lengths, strict=True)):
        if consumers(part) or is_output(graph, part):
            name = unique_name(graph, f"{node.name}_part{i}")
            limits = {"start": start, "end": start + length, "axis": axis}
            given = [
                new_constant(graph, f"{name}_{what}", np.array([value], dtype=np.int64))
                for what, value in limits.items()
            ]
            made.append(gs.Node("Slice", name, inputs=[source, *given], outputs=[part]))
        start += length
    insert_after(graph, node, made)
    remove(graph, node)
