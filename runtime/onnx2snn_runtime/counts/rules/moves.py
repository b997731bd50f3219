"""What only moves, repeats or leaves out values of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import Draft, attributes
from onnx2snn_runtime.counts.rule import RULES

#: Where an op says along which axes it works: the attribute, and the input in newer opsets.
AXES = {
    "Concat": ("axis", None),
    "Gather": ("axis", None),
    "Slice": ("axes", 3),
    "Squeeze": ("axes", 1),
    "Unsqueeze": ("axes", 1),
}


@RULES.register(
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
def move(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep it, if rows stay rows."""
    values, *others = node.input
    if values not in draft.timed or not all(not o or draft.is_static(o) for o in others):
        raise draft.refusal(node, "where values go is computed")
    _check_rows(draft, node)
    draft.copy(node)
    _inherit(draft, node, [values])


@RULES.register("Pad")
def pad(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep it; a constant at the border counts once for every step."""
    values, pads, *more = node.input
    if values not in draft.timed or values in draft.wide:
        raise draft.refusal(node, "what it pads is no sum in float32")
    widths = draft.known(pads, node)
    axes = draft.known(more[1], node) if len(more) > 1 and more[1] else np.arange(len(widths) // 2)
    if any(widths[i] or widths[i + len(axes)] for i, axis in enumerate(axes) if axis == 0):
        raise draft.refusal(node, "it adds rows")
    kept = draft.copy(node)
    if more and more[0]:
        kept.input[2] = draft.offset(more[0], node)
        if np.any(draft.known(more[0], node)):
            return
    _inherit(draft, node, [values])


@RULES.register("Concat")
def concat(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep it, if all parts have rows."""
    if not all(name in draft.timed for name in node.input):
        raise draft.refusal(node, "not all of its parts have a row for every step")
    if len({name in draft.wide for name in node.input}) > 1:
        raise draft.refusal(node, "its parts are of two types")
    _check_rows(draft, node)
    draft.copy(node)
    _inherit(draft, node, node.input)


def _check_rows(draft: Draft, node: onnx.NodeProto) -> None:
    given = attributes(node)
    attribute, place = AXES.get(node.op_type, (None, None))
    axes: Sequence[int] = ()
    if node.op_type == "Transpose":
        axes = () if next(iter(given.get("perm", [1]))) == 0 else (0,)
    elif node.op_type == "Flatten":
        axes = () if given.get("axis", 1) == 1 else (0,)
    elif attribute in given:
        axes = np.atleast_1d(given[attribute]).tolist()
    elif place is not None and place < len(node.input) and node.input[place]:
        axes = draft.known(node.input[place], node).reshape(-1).tolist()
    elif attribute is not None:
        axes = (0,)
    if 0 in axes:
        raise draft.refusal(node, "rows do not stay rows")


def _inherit(draft: Draft, node: onnx.NodeProto, sources: Sequence[str]) -> None:
    output = node.output[0]
    if all(name in draft.sizes for name in sources):
        draft.sizes[output] = max(draft.sizes[name] for name in sources)
    if all(name in draft.binary for name in sources):
        draft.binary.add(output)
    if all(draft.is_natural(name) for name in sources):
        draft.natural.add(output)
    if any(name in draft.wide for name in sources):
        draft.wide.add(output)
