"""Weights of few bits: what ``--weight-bits`` makes of the layers of a finished graph.

Amplitudes are in the weights by then, so that what is rounded is what synapses will hold::

    layer(x, W, b)  ─▶  layer(x, DequantizeLinear(int8 Q, scale[outputs]), b)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.emit.weight_grid import dequantize, quantize_weights
from onnx2snn.graphs import Array, constant, input_at, new_constant
from onnx2snn.plan import Diagnostic, LayerCorrection
from onnx2snn.sites import Region

LEAST_WEIGHT_BITS, MOST_WEIGHT_BITS = 4, 8
LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True)
class _Held:
    """Constant weights of a layer: at which input, and the axis of its outputs."""

    index: int
    axis: int
    weights: Array


def round_weights(emission: Emission) -> None:
    """Put integers and scales in place of the weights of all layers."""
    bits, graph = emission.plan.config.weight_bits, emission.graph
    made: dict[tuple[str, int], gs.Variable] = {}
    worst = (0.0, "")
    for node in list(graph.nodes):
        held = _held(node)
        if held is None:
            continue
        key = (node.inputs[held.index].name, held.axis)
        if key not in made:
            codes, scales = quantize_weights(held.weights, held.axis, bits)
            error = _relative_error(held.weights, dequantize(codes, scales, held.axis))
            worst = max(worst, (error, node.name))
            made[key] = _dequantized(emission, node.name, codes, scales, held.axis)
        node.inputs[held.index] = made[key]
    graph.toposort()
    emission.diagnostics.append(
        Diagnostic(
            "WEIGHTS_ROUNDED",
            "info",
            "",
            f"weights of {len(made)} layers have {bits} bits",
            f"root mean square error at most {100 * worst[0]:.2g} % of the weights"
            + (f", in '{worst[1]}'" if worst[1] else ""),
        )
    )


def rounded_layers(
    before: Mapping[str, Array], corrections: tuple[LayerCorrection, ...], emission: Emission
) -> dict[str, LayerCorrection]:
    """What rounded weights amount to in the network's own units, by layer.

    Amplitudes multiply a weight, whatever way they took: so its relative change is the same with
    and without them.

    Args:
        before: the network's weights by layer, corrections included.
        corrections: of which biases are kept.
        emission: its finished graph, weights not rounded yet.
    """
    biases = {c.layer: c.bias for c in corrections}
    found = {}
    for node in emission.graph.nodes:
        held, weights = _held(node), before.get(node.name)
        if held is None or held.index != 1 or weights is None:
            continue
        codes, scales = quantize_weights(held.weights, held.axis, emission.plan.config.weight_bits)
        rounded = dequantize(codes, scales, held.axis)
        ratio = np.divide(rounded, held.weights, out=np.ones_like(rounded), where=rounded != 0)
        ratio[(rounded == 0) & (held.weights != 0)] = 0
        # An encoder that widens a layer repeats its weights.
        own = ratio[tuple(slice(n) for n in weights.shape)]
        found[node.name] = LayerCorrection(node.name, weights * own, biases.get(node.name))
    return found


def weights_of(graph: gs.Graph) -> dict[str, Array]:
    """Constant weights by layer."""
    held = ((node.name, _held(node)) for node in graph.nodes)
    return {name: h.weights for name, h in held if h is not None and h.index == 1}


def _held(node: gs.Node) -> _Held | None:
    if node.op not in LAYERS or node.domain:
        return None
    left = constant(node.inputs[0])
    weights = constant(input_at(node, 1)) if left is None else left
    if weights is None or weights.dtype != np.float32 or weights.ndim < 2 or not weights.size:
        return None
    if node.op == "Conv":
        return _Held(1, 0, weights)
    if node.op == "ConvTranspose":
        return _Held(1, 1, weights)
    if node.op == "Gemm":
        return _Held(1, 0 if node.attrs.get("transB", 0) else 1, weights) if left is None else None
    return _Held(1, weights.ndim - 1, weights) if left is None else _Held(0, left.ndim - 2, left)


def _dequantized(
    emission: Emission, name: str, codes: Array, scales: Array, axis: int
) -> gs.Variable:
    graph = emission.graph
    weights = gs.Variable(f"{name}.weights", np.float32, codes.shape)
    integers = new_constant(graph, f"{name}.integers", codes)
    scale = new_constant(graph, f"{name}.weight_scale", scales)
    emission.add(
        "DequantizeLinear",
        f"{name}.dequantize",
        [integers, scale],
        [weights],
        Region.ANALOG,
        attrs={"axis": axis},
    )
    return weights


def _relative_error(weights: Array, rounded: Array) -> float:
    size = float(np.square(weights, dtype=np.float64).sum())
    lost = float(np.square(weights - rounded, dtype=np.float64).sum())
    return float(np.sqrt(lost / size)) if size > 0 else 0.0
