"""Resize: every mode is linear in the image; "nearest" only copies values."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, rank
from onnx2snn.linear.base import LINEAR, Affine, is_uniform


class _Resize(Affine):
    def reason(self, node: gs.Node) -> str | None:
        if any(
            input_at(node, i) is not None and constant(input_at(node, i)) is None for i in (2, 3)
        ):
            return "its size is computed from the input"
        return "it resizes the batch axis" if resized(node) is None else None

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        if _crops(node):  # what lies outside is a constant
            return None
        if is_uniform(amplitude):
            return amplitude.reshape(-1)
        axes = resized(node)
        ndim = rank(node.inputs[0])
        if axes is None or ndim is None or amplitude.ndim != ndim - 1:
            return None
        return amplitude if all(amplitude.shape[a - 1] == 1 for a in axes) else None

    def moves(self, node: gs.Node) -> bool:
        return node.attrs.get("mode", "nearest") == "nearest" and not _crops(node)


def resized(node: gs.Node) -> list[int] | None:
    """The axes whose length may change, or None if the batch axis is among them."""
    ndim = rank(node.inputs[0])
    scales, sizes = constant(input_at(node, 2)), constant(input_at(node, 3))
    if ndim is None:
        return None
    axes = [int(a) % ndim for a in node.attrs.get("axes", range(ndim))]
    if scales is not None and scales.size:
        axes = [a for a, scale in zip(axes, scales, strict=True) if scale != 1]
    elif sizes is None:
        return None
    return None if 0 in axes else axes


def _crops(node: gs.Node) -> bool:
    return bool(node.attrs.get("coordinate_transformation_mode") == "tf_crop_and_resize")


LINEAR.register("Resize")(_Resize())
