"""ReduceMean and ReduceSum over other axes than the batch."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, rank
from onnx2snn.linear.base import LINEAR, Affine, is_uniform


def reduced_axes(node: gs.Node) -> list[int] | None:
    """The axes that a reduction runs over, or None if they are not known."""
    ndim = rank(node.inputs[0])
    if ndim is None or (input_at(node, 1) is not None and constant(input_at(node, 1)) is None):
        return None
    given = constant(input_at(node, 1))
    axes = node.attrs.get("axes", []) if given is None else given.tolist()
    if not axes:
        return [] if node.attrs.get("noop_with_empty_axes") else list(range(ndim))
    return sorted(int(a) % ndim for a in axes)


class _Reduce(Affine):
    def reason(self, node: gs.Node) -> str | None:
        axes = reduced_axes(node)
        if axes is None:
            return "its axes are computed from the input"
        return "it reduces the batch axis" if 0 in axes else None

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        if is_uniform(amplitude):
            return amplitude.reshape(-1)
        axes = reduced_axes(node)
        if axes is None or amplitude.ndim != (rank(node.inputs[0]) or 0) - 1:
            return None
        if any(amplitude.shape[a - 1] != 1 for a in axes):
            return None
        if node.attrs.get("keepdims", 1):
            return amplitude
        squeezed: Array = np.squeeze(amplitude, axis=tuple(a - 1 for a in axes))
        return squeezed


LINEAR.register("ReduceMean", "ReduceSum")(_Reduce())
