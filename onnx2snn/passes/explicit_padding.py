"""Write down what convolutions and pools leave to the runtime: pads, strides, kernel shapes.

``auto_pad`` and ``ceil_mode`` become explicit ``pads`` where the input's size is known; without
it they stay and are judged by the room that meets them.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import sample_shape


def explicit_padding(canonical: CanonicalGraph) -> None:
    """Make the geometry of every Conv, AveragePool and MaxPool explicit."""
    for node in canonical.graph.nodes:
        if node.op in {"Conv", "AveragePool", "MaxPool"}:
            _make_explicit(node)


def _make_explicit(node: gs.Node) -> None:
    attrs = node.attrs
    kernel = attrs.get("kernel_shape") or (node.inputs[1].shape or [])[2:]
    if not kernel:  # computed weights of unknown rank
        return
    ndim = len(kernel)
    attrs["kernel_shape"] = list(kernel)
    attrs.setdefault("strides", [1] * ndim)
    dilations = attrs.get("dilations", [1] * ndim)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    size = sample_shape(node.inputs[0])
    auto = attrs.pop("auto_pad", "NOTSET")
    if auto in {"NOTSET", "VALID"}:
        attrs.setdefault("pads", [0] * (2 * ndim))
    elif size is not None:
        attrs["pads"] = same_pads(size[1:], reach, attrs["strides"], lower=auto == "SAME_LOWER")
    else:
        attrs["auto_pad"] = auto
        return
    if attrs.get("ceil_mode") and size is not None:
        pads = list(attrs["pads"])
        extra = ceil_padding(size[1:], reach, attrs["strides"], pads)
        # Padding that is counted is more than what the last window lacks.
        if not any(extra) or not attrs.get("count_include_pad"):
            attrs.pop("ceil_mode")
            attrs["pads"] = pads[:ndim] + [p + e for p, e in zip(pads[ndim:], extra, strict=True)]


def same_pads(
    size: Sequence[int], reach: Sequence[int], strides: Sequence[int], *, lower: bool
) -> list[int]:
    """The pads (begins, then ends) of SAME_UPPER or SAME_LOWER."""
    begins, ends = [], []
    for n, k, s in zip(size, reach, strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        small, large = total // 2, total - total // 2
        begins.append(large if lower else small)
        ends.append(small if lower else large)
    return begins + ends


def ceil_padding(
    size: Sequence[int], reach: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> list[int]:
    """How far the last window reaches over the padded end under ``ceil_mode``."""
    ndim = len(size)
    extra = []
    for i, (n, k, s) in enumerate(zip(size, reach, strides, strict=True)):
        room = n + pads[i] + pads[i + ndim] - k
        outs = -(-room // s)
        # A window that would start in the end padding is not made.
        if outs * s >= n + pads[i]:
            outs -= 1
        extra.append(max(outs * s - room, 0))
    return extra
