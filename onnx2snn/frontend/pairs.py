"""Writing QuantizeLinear, DequantizeLinear and what may stand in front of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, new_constant, unique_name


@dataclass(frozen=True)
class Grid:
    """What integers stand for: (q − zero_point)·scale.

    Attributes:
        scale: float32, one number or a vector.
        zero: the zero point, of the integers' type and the shape of ``scale``.
        axis: the axis along which a vector differs; negative counts from the end.
    """

    scale: Array
    zero: Array
    axis: int | None = None

    def real(self, integers: Array | int) -> Array:
        """The numbers that integers stand for, in float32 as DequantizeLinear computes them."""
        shifted = np.asarray(integers).astype(np.int64) - self.zero.astype(np.int64)
        return np.asarray(shifted.astype(np.float32) * self.scale, dtype=np.float32)


def dequantize(
    graph: gs.Graph, name: str, source: gs.Tensor, grid: Grid, target: gs.Tensor | None = None
) -> gs.Tensor:
    """Append a DequantizeLinear; the tensor that it makes, ``target`` if given."""
    if target is None:
        target = gs.Variable(unique_name(graph, f"{name}_real"), np.float32, source.shape)
    target.dtype = np.dtype(np.float32)
    _pair(graph, "DequantizeLinear", name, source, grid, target)
    return target


def quantize(
    graph: gs.Graph, name: str, source: gs.Tensor, grid: Grid, target: gs.Tensor | None = None
) -> gs.Tensor:
    """Append a QuantizeLinear; the tensor that it makes, ``target`` if given."""
    if target is None:
        target = gs.Variable(unique_name(graph, f"{name}_integers"), None, source.shape)
    target.dtype = grid.zero.dtype
    _pair(graph, "QuantizeLinear", name, source, grid, target)
    return target


def clip(
    graph: gs.Graph, name: str, source: gs.Tensor, grid: Grid, ends: tuple[int, int]
) -> gs.Tensor:
    """Append what cuts a tensor to the values of two integers: Clip, or Max and Min by channel."""
    low, high = (grid.real(end) for end in ends)
    if grid.axis is None:
        bounds = [new_constant(graph, f"{name}_{i}", v) for i, v in enumerate((low, high))]
        return append(graph, "Clip", name, [source, *bounds])
    shape = [-1] + [1] * (-1 - grid.axis)
    lows = new_constant(graph, f"{name}_lows", low.reshape(shape))
    highs = new_constant(graph, f"{name}_highs", high.reshape(shape))
    above = append(graph, "Max", f"{name}_low", [source, lows])
    return append(graph, "Min", f"{name}_high", [above, highs])


def append(
    graph: gs.Graph,
    op: str,
    name: str,
    inputs: list[gs.Tensor],
    target: gs.Tensor | None = None,
    attrs: dict[str, Any] | None = None,
) -> gs.Tensor:
    """Append an operator on float32 values; the tensor that it makes, ``target`` if given."""
    name = unique_name(graph, name)
    if target is None:
        target = gs.Variable(unique_name(graph, f"{name}_out"))
    target.dtype = np.dtype(np.float32)
    graph.nodes.append(gs.Node(op, name, attrs or {}, inputs=inputs, outputs=[target]))
    return target


def _pair(
    graph: gs.Graph, op: str, name: str, source: gs.Tensor, grid: Grid, target: gs.Tensor
) -> None:
    name = unique_name(graph, name)
    inputs = [source, new_constant(graph, f"{name}_scale", grid.scale.astype(np.float32))]
    if grid.zero.dtype != np.int32 or grid.zero.any():  # int32 has no zero point
        inputs.append(new_constant(graph, f"{name}_zero_point", grid.zero))
    attrs = {} if grid.axis is None else {"axis": grid.axis}
    graph.nodes.append(gs.Node(op, name, attrs, inputs=inputs, outputs=[target]))
