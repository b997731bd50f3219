"""Operators that take a part of a tensor or put tensors together: Slice, Pad, Concat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, rank
from onnx2snn.linear.base import LINEAR, Affine, compact, is_uniform


def _axes(node: gs.Node, index: int, count: int) -> list[int] | None:
    """The axes named by input ``index``, non-negative; all of the first ``count`` by default."""
    if input_at(node, index) is None:
        return list(range(count))
    given, ndim = constant(input_at(node, index)), rank(node.inputs[0])
    return None if given is None or ndim is None else [int(a) % ndim for a in given]


class _Slice(Affine):
    def reason(self, node: gs.Node) -> str | None:
        limits = [constant(input_at(node, i)) for i in (1, 2)]
        computed_steps = input_at(node, 4) is not None and constant(input_at(node, 4)) is None
        if computed_steps or any(v is None for v in limits):
            return "its limits are computed from the input"
        axes = _axes(node, 3, len(limits[0]) if limits[0] is not None else 0)
        return "it cuts the batch axis" if axes is None or 0 in axes else None

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        if is_uniform(amplitude):
            return amplitude
        starts, ends = constant(node.inputs[1]), constant(node.inputs[2])
        assert starts is not None
        assert ends is not None
        axes = _axes(node, 3, len(starts))
        steps = constant(input_at(node, 4))
        if axes is None or amplitude.ndim != (rank(node.inputs[0]) or 0) - 1:
            return None
        cut = [slice(None)] * amplitude.ndim
        for i, axis in enumerate(axes):
            if amplitude.shape[axis - 1] != 1:
                step = 1 if steps is None else int(steps[i])
                if step < 0:
                    return None
                cut[axis - 1] = slice(int(starts[i]), int(ends[i]), step)
        return amplitude[tuple(cut)]

    def moves(self, node: gs.Node) -> bool:
        return True


class _Pad(Affine):
    def reason(self, node: gs.Node) -> str | None:
        pads = constant(input_at(node, 1))
        if pads is None:
            return "its pads are computed from the input"
        axes = _axes(node, 3, pads.size // 2)
        if axes is None or any(
            a == 0 and (pads[i] or pads[i + len(axes)]) for i, a in enumerate(axes)
        ):
            return "it pads the batch axis"
        return None

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        value = constant(input_at(node, 2))
        filled = node.attrs.get("mode", "constant") == "constant"
        pads = constant(node.inputs[1])
        assert pads is not None
        axes = _axes(node, 3, pads.size // 2)
        if axes is None or (filled and value is not None and value.any()):
            return None
        if is_uniform(amplitude):
            return amplitude
        if amplitude.ndim != (rank(node.inputs[0]) or 0) - 1:
            return None
        widths = [(0, 0)] * amplitude.ndim
        for i, axis in enumerate(axes):
            if axis > 0 and amplitude.shape[axis - 1] != 1:
                widths[axis - 1] = (int(pads[i]), int(pads[i + len(axes)]))
        if any(w < 0 or (w and not filled) for pair in widths for w in pair):
            return None
        # What is padded is silent, so any amplitude does.
        return np.pad(amplitude, widths, constant_values=1)

    def moves(self, node: gs.Node) -> bool:
        value = constant(input_at(node, 2))
        filled = node.attrs.get("mode", "constant") == "constant"
        return not filled or input_at(node, 2) is None or (value is not None and not value.any())


class _Concat(Affine):
    def reason(self, node: gs.Node) -> str | None:
        ndim = rank(node.outputs[0])
        if ndim is None or int(node.attrs["axis"]) % ndim == 0:
            return "it joins along the batch axis"
        if any(isinstance(t, gs.Constant) for t in node.inputs):
            return "it joins a constant with a fixed number of rows"
        return None


def joined(node: gs.Node, amplitudes: Sequence[Array | None]) -> Array | None:
    """The amplitude behind a Concat of one for each input; None if they cannot be joined."""
    ndim = rank(node.outputs[0])
    if ndim is None or _Concat().reason(node) is not None:
        return None
    axis = int(node.attrs["axis"]) % ndim - 1
    parts = []
    for tensor, amplitude in zip(node.inputs, amplitudes, strict=True):
        length = None if tensor.shape is None else tensor.shape[axis + 1]
        if amplitude is None or not isinstance(length, int):
            return None
        part = amplitude.reshape([1] * (ndim - 1 - amplitude.ndim) + list(amplitude.shape))
        wanted = list(part.shape)
        wanted[axis] = length
        parts.append(np.broadcast_to(part, wanted))
    return compact(np.concatenate(_same_places(parts, axis), axis=axis))


def _same_places(parts: list[Array], axis: int) -> list[Array]:
    """All parts of one shape, but for the axis along which they are joined."""
    shape = np.max([p.shape for p in parts], axis=0)
    return [np.broadcast_to(p, [*shape[:axis], p.shape[axis], *shape[axis + 1 :]]) for p in parts]


LINEAR.register("Slice")(_Slice())
LINEAR.register("Pad")(_Pad())
LINEAR.register("Concat")(_Concat())
