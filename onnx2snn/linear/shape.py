"""Operators that only move values: Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, rank, sample_shape
from onnx2snn.linear.base import LINEAR, Affine, compact, is_uniform, whole_map


class _Identity(Affine):
    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        return amplitude

    def moves(self, node: gs.Node) -> bool:
        return True


class _Reshape(Affine):
    def reason(self, node: gs.Node) -> str | None:
        if node.op == "Flatten":
            keeps = int(node.attrs.get("axis", 1)) == 1
        elif node.op == "Reshape":
            shape = constant(input_at(node, 1))
            keeps = shape is not None and shape.size > 1 and shape[0] == 0
        else:
            axes = constant(input_at(node, 1))
            ndim = rank(node.inputs[0])
            extra = 0 if axes is None or node.op == "Squeeze" else axes.size
            keeps = (
                axes is not None
                and ndim is not None
                and 0 not in {a % (ndim + extra) for a in axes}
            )
        return None if keeps else "it mixes the batch axis with others"

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        if is_uniform(amplitude):
            return amplitude.reshape(-1)
        places, after = whole_map(node, amplitude), sample_shape(node.outputs[0])
        return None if places is None or after is None else compact(places.reshape(after))

    def moves(self, node: gs.Node) -> bool:
        return True


class _Transpose(Affine):
    def reason(self, node: gs.Node) -> str | None:
        perm = node.attrs.get("perm")
        return None if perm and perm[0] == 0 else "it moves the batch axis"

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        if is_uniform(amplitude):
            return amplitude.reshape(-1)
        perm = [p - 1 for p in node.attrs["perm"][1:]]
        if amplitude.ndim != len(perm):
            return None
        return amplitude.transpose(perm)

    def moves(self, node: gs.Node) -> bool:
        return True


LINEAR.register("Identity")(_Identity())
LINEAR.register("Flatten", "Reshape", "Squeeze", "Unsqueeze")(_Reshape())
LINEAR.register("Transpose")(_Transpose())
