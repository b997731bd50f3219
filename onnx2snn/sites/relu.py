"""Relu: max(0, x)."""

from __future__ import annotations

from math import inf

import onnx_graphsurgeon as gs

from onnx2snn.sites.activation import ACTIVATIONS, Bounds, Match


@ACTIVATIONS.register("Relu")
def relu(graph: gs.Graph, node: gs.Node) -> Match | None:
    """Every Relu."""
    return Match(Bounds(0.0, inf), (node,))
