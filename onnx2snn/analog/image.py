"""Operators on images [N, C, ...]: they treat samples alike by definition."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.analog.base import ANALOG
from onnx2snn.graphs import consumers


@ANALOG.register(
    "AveragePool",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "GridSample",
    "GroupNormalization",
    "InstanceNormalization",
    "LRN",
    "LpPool",
)
def of_images(node: gs.Node) -> str | None:
    """No objection."""
    return None


@ANALOG.register("MaxPool")
def max_pool(node: gs.Node) -> str | None:
    """Its indices are places in the whole batch."""
    return "its indices are used" if any(consumers(t) for t in node.outputs[1:]) else None
