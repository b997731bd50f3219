"""Remove nodes that do nothing at inference: Identity, Dropout, Cast from float to float."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, consumers, input_at, is_output, remove, rewire


def remove_identity(canonical: CanonicalGraph) -> None:
    """Let the readers of each such node read its input."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if _does_nothing(graph, node) and not _passes_input_through(graph, node):
            rewire(graph, node.outputs[0], node.inputs[0])
            remove(graph, node)


def _does_nothing(graph: gs.Graph, node: gs.Node) -> bool:
    if node.op == "Dropout":
        return not drops_at_random(node) and not any(
            consumers(t) or is_output(graph, t) for t in node.outputs[1:]
        )
    if node.op == "Cast":
        return node.inputs[0].dtype == np.float32 and node.attrs.get("to") in {1, np.float32}
    return bool(node.op == "Identity")


def drops_at_random(node: gs.Node) -> bool:
    """Whether a Dropout is in training mode, or may be."""
    if input_at(node, 2) is None:
        return False
    mode = constant(input_at(node, 2))
    return mode is None or bool(mode.any())


def _passes_input_through(graph: gs.Graph, node: gs.Node) -> bool:
    """An output that is an input needs a node between them, and so do two equal outputs."""
    source = node.inputs[0]
    named = is_output(graph, node.outputs[0])
    return named and (
        isinstance(source, gs.Constant)
        or any(source is i for i in graph.inputs)
        or is_output(graph, source)
    )
