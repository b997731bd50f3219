"""Clip: min(max(x, lower), upper), ReLU6 among them."""

from __future__ import annotations

from math import inf

import onnx_graphsurgeon as gs

from onnx2snn.graphs import constant, input_at
from onnx2snn.sites.activation import ACTIVATIONS, Bounds, Match


@ACTIVATIONS.register("Clip")
def clip(graph: gs.Graph, node: gs.Node) -> Match | None:
    """A Clip with constant bounds."""
    limits = []
    for index, absent in ((1, -inf), (2, inf)):
        if input_at(node, index) is None:
            limits.append(absent)
            continue
        value = constant(input_at(node, index))
        if value is None or value.size != 1:
            return None
        limits.append(float(value.reshape(())))
    # Exporters write the largest float for "no bound".
    lower, upper = (v if abs(v) < 1e30 else (inf if v > 0 else -inf) for v in limits)
    return Match(Bounds(lower, upper), (node,)) if lower < upper else None
