"""LeakyRelu and PRelu become two rectifiers, which two populations can be.

::

    LeakyRelu(z, a)  ──▶  Relu(z) + (−a)·Relu(−z)          a one number, or one for each channel

A single population of signed neurons cannot tell a spike that takes an earlier one back from one
that stands for a negative value, which counts a times.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import (
    Array,
    constant,
    input_at,
    insert_after,
    new_constant,
    rank,
    remove,
    unique_name,
)

DEFAULT_SLOPE = 0.01


def split_leaky_relu(canonical: CanonicalGraph) -> None:
    """Rewrite every LeakyRelu, and every PRelu with constant slopes."""
    graph = canonical.graph
    for node in list(graph.nodes):
        slope = _slope(node)
        if slope is not None:
            _split(graph, node, slope)


def _slope(node: gs.Node) -> Array | None:
    if node.op == "LeakyRelu":
        return np.array(node.attrs.get("alpha", DEFAULT_SLOPE), dtype=np.float32)
    if node.op != "PRelu":
        return None
    slope, ndim = constant(input_at(node, 1)), rank(node.inputs[0])
    if slope is None or ndim is None or slope.ndim > ndim:
        return None
    return None if slope.ndim == ndim and slope.shape[0] != 1 else slope  # one for each sample


def _split(graph: gs.Graph, node: gs.Node, slope: Array) -> None:
    source, output, name = node.inputs[0], node.outputs[0], node.name

    def step(op: str, suffix: str, *inputs: gs.Tensor) -> gs.Node:
        result = gs.Variable(unique_name(graph, f"{name}_{suffix}_out"), output.dtype, output.shape)
        made = gs.Node(
            op, unique_name(graph, f"{name}_{suffix}"), inputs=list(inputs), outputs=[result]
        )
        insert_after(graph, node, [made])
        return made

    minus_one = new_constant(graph, f"{name}_minus_one", np.array(-1, dtype=slope.dtype))
    positive = step("Relu", "positive", source)
    flipped = step("Mul", "flipped", source, minus_one)
    negative = step("Relu", "negative", flipped.outputs[0])
    factor = new_constant(graph, f"{name}_slope", -slope)
    weighted = step("Mul", "weighted", negative.outputs[0], factor)
    total = step("Add", "sum", positive.outputs[0], weighted.outputs[0])
    remove(graph, node)
    total.outputs = [output]
    graph.toposort()
