"""Operators that put values elsewhere, or at several places.

DepthToSpace, SpaceToDepth, Gather, Expand and Tile.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, evaluate, input_at, rank
from onnx2snn.linear.base import LINEAR, Affine, compact, is_uniform, whole_map

#: Opset of the operators' definitions, by which amplitudes are moved.
OPSET = 18


class _Move(Affine):
    """An amplitude map moves as the values do."""

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        if is_uniform(amplitude):
            return amplitude.reshape(-1)
        places = whole_map(node, amplitude)
        if places is None:
            return None
        inputs = [places[None], *(constant(t) for t in node.inputs[1:])]
        moved: Array = evaluate(node.op, inputs, node.attrs, OPSET)[0]
        return compact(moved)

    def moves(self, node: gs.Node) -> bool:
        return True


class _Gather(_Move):
    def reason(self, node: gs.Node) -> str | None:
        if constant(input_at(node, 1)) is None:
            return "its indices are computed from the input"
        ndim = rank(node.inputs[0])
        if ndim is None or int(node.attrs.get("axis", 0)) % ndim == 0:
            return "it picks from the batch axis"
        return None


class _Repeat(_Move):
    """Expand and Tile: a constant says how far; one for the batch leaves it as it is."""

    def reason(self, node: gs.Node) -> str | None:
        lengths = constant(input_at(node, 1))
        if lengths is None:
            return "its lengths are computed from the input"
        ndim = rank(node.inputs[0])
        if ndim is None or lengths.size > ndim or (lengths.size == ndim and lengths[0] != 1):
            return "it repeats along the batch axis"
        return None


LINEAR.register("DepthToSpace", "SpaceToDepth")(_Move())
LINEAR.register("Gather")(_Gather())
LINEAR.register("Expand", "Tile")(_Repeat())
