"""A DequantizeLinear of other parameters than its quantizer's scales and shifts real values.

::

    Q(s, z) ─▶ DQ(t, y)   ──▶   Q(s, z) ─▶ DQ(s, z) ─▶ ·(t/s) ─▶ +(z − y)·t

Elsewhere a pair means one grid: its bounds and steps are read from the quantizer alone.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import refuse
from onnx2snn.frontend.integer_moves import same_grid, zero_of
from onnx2snn.frontend.pairs import Grid, append, dequantize
from onnx2snn.graphs import Array, constant, consumers, new_constant, remove


def rescale_dequantizers(canonical: CanonicalGraph, quantizer: gs.Node) -> None:
    """Let every DequantizeLinear of a quantizer have its scale and zero point.

    Raises:
        UnsupportedModelError: they differ, and are computed or differ by channel.
    """
    for reader in consumers(quantizer.outputs[0]):
        if reader.op != "DequantizeLinear" or same_grid(quantizer, reader):
            continue
        own, other = _uniform(quantizer), _uniform(reader)
        if own is None or other is None:
            what = "its scale or zero point is not the one of its quantizer, nor one number"
            refuse(canonical, reader, what, "quantize the network again")
        _rescale(canonical.graph, reader, own, other)


def _uniform(node: gs.Node) -> Grid | None:
    scale, zero = constant(node.inputs[1]), zero_of(node)
    if scale is None or zero is None or scale.size > 1 or zero.size > 1:
        return None
    return Grid(scale.reshape(()), zero.reshape(()))


def _rescale(graph: gs.Graph, reader: gs.Node, own: Grid, other: Grid) -> None:
    name, integers, result = reader.name, reader.inputs[0], reader.outputs[0]
    remove(graph, reader)
    factor: Array = np.asarray(other.scale / own.scale)
    shift = other.real(own.zero)
    value = dequantize(graph, name, integers, own)
    product = [value, new_constant(graph, f"{name}_factor", factor)]
    total = [
        append(graph, "Mul", f"{name}_scaled", product),
        new_constant(graph, f"{name}_shift", shift),
    ]
    append(graph, "Add", f"{name}_shifted", total, result)
