"""What batch norm tells of the pre-activations, carried through residual sums and activations.

For z ~ N(μ, σ²), the moments of max(0, z) with r = μ/σ, φ and Φ of the normal distribution::

    m = μ·Φ(r) + σ·φ(r)          E[max(0, z)²] = (μ² + σ²)·Φ(r) + μ·σ·φ(r)

Branches of a sum are taken as independent, which a residual sum is not quite.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import erf, pi, sqrt

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph, Moments
from onnx2snn.graphs import Array, constant, input_at, rank
from onnx2snn.linear import LINEAR


def propagate(canonical: CanonicalGraph) -> dict[str, Moments]:
    """Moments by tensor name, for every tensor that can be reached from a batch norm."""
    known = dict(canonical.moments)
    for node in canonical.graph.nodes:
        if node.outputs[0].name in known:
            continue
        moments = _through(node, known)
        if moments is not None:
            known[node.outputs[0].name] = moments
    return known


def rectified(moments: Moments) -> Moments:
    """The moments of max(0, z) for normal z."""
    mean, std = moments.mean.astype(np.float64), moments.std.astype(np.float64)
    safe = np.where(std > 0, std, 1.0)
    ratio = mean / safe
    density = np.exp(-(ratio**2) / 2) / sqrt(2 * pi)
    share = 0.5 * (1 + np.vectorize(erf)(ratio / sqrt(2)))
    first = np.where(std > 0, mean * share + std * density, np.maximum(mean, 0))
    second = np.where(std > 0, (mean**2 + std**2) * share + mean * std * density, first**2)
    spread = np.sqrt(np.maximum(second - first**2, 0))
    return Moments(first.astype(np.float32), spread.astype(np.float32))


def _through(node: gs.Node, known: Mapping[str, Moments]) -> Moments | None:
    inputs = [known.get(t.name) for t in node.inputs]
    first = inputs[0] if inputs else None
    if first is None:
        return None
    if node.op == "Add":
        other = inputs[1]
        if other is None:
            return _with_constant(node, first)
        return Moments(first.mean + other.mean, np.sqrt(first.std**2 + other.std**2))
    if node.op == "Mul":
        return _with_constant(node, first)
    if node.op == "Relu" or (node.op == "Clip" and constant(input_at(node, 1)) == 0):
        return rectified(first)
    if node.op in {"QuantizeLinear", "DequantizeLinear", "Identity", "AveragePool"}:
        return first
    if node.op in {"Slice", "Pad"} and len(node.inputs[0].shape or ()) > 2:
        return _moved(node, first)
    return None


def _with_constant(node: gs.Node, moments: Moments) -> Moments | None:
    """Behind a sum or product with one number, or one for each channel."""
    value, ndim = constant(input_at(node, 1)), rank(node.inputs[0])
    if value is None or ndim is None or value.ndim > ndim:
        return None
    padded = value.reshape([1] * (ndim - value.ndim) + list(value.shape))
    if padded.size not in {1, padded.shape[1] if ndim > 1 else 1}:
        return None
    flat = padded.reshape(-1).astype(np.float32)
    if node.op == "Add":
        return Moments(moments.mean + flat, moments.std + 0 * flat)
    return Moments(moments.mean * flat, moments.std * np.abs(flat))


def _moved(node: gs.Node, moments: Moments) -> Moments | None:
    """Channels cut or padded as the operator does; padded channels are zero."""
    handler = LINEAR.get(node.op)
    if handler.reason(node) is not None:
        return None
    trailing = [1] * (len(node.inputs[0].shape) - 2)

    def move(values: Array) -> Array | None:
        return handler.carry(node, values.reshape(-1, *trailing))

    # Carrying pads amplitudes with ones, so a row of ones tells nothing: shift it away.
    mean, std, mask = move(moments.mean), move(moments.std), move(np.full_like(moments.mean, 2))
    if mean is None or std is None or mask is None or moments.mean.size == 1:
        return None
    real = (mask == 2).reshape(-1)
    return Moments(mean.reshape(-1) * real, std.reshape(-1) * real)
