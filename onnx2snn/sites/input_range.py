"""What a model itself says about the range of its inputs."""

from __future__ import annotations

from math import isfinite

import numpy as np

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import consumers
from onnx2snn.sites.activation import ACTIVATIONS


def input_range(canonical: CanonicalGraph) -> tuple[float, float] | None:
    """The range of the inputs' own quantizers, or of bytes; None if the model does not say."""
    ranges = []
    for tensor in canonical.graph.inputs:
        if tensor.dtype == np.uint8:
            ranges.append((0.0, 255.0))
        for node in consumers(tensor):
            activation = ACTIVATIONS.find(node.op)
            match = None if activation is None else activation(canonical.graph, node)
            if match is not None and isfinite(match.bounds.lower) and isfinite(match.bounds.upper):
                ranges.append((match.bounds.lower, match.bounds.upper))
    if not ranges:
        return None
    return min(r[0] for r in ranges), max(r[1] for r in ranges)
