"""Means and sums over places, and interpolation."""

from __future__ import annotations

import onnx

from onnx2snn_runtime.counts.draft import Draft, attributes
from onnx2snn_runtime.counts.rule import RULES


@RULES.register("AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "Resize")
def mean(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep it: it has no constant term. Its values are whole numbers no longer."""
    values, *others = node.input
    if values not in draft.timed or values in draft.wide:
        raise draft.refusal(node, "what it averages is no sum in float32")
    if not all(not o or draft.is_static(o) for o in others):
        raise draft.refusal(node, "over what it averages is computed")
    if node.op_type.startswith("Reduce") and 0 in _axes(draft, node):
        raise draft.refusal(node, "rows do not stay rows")
    mode = attributes(node).get("coordinate_transformation_mode")
    if mode == b"tf_crop_and_resize":
        raise draft.refusal(node, "it fills in a constant")
    draft.copy(node)


def _axes(draft: Draft, node: onnx.NodeProto) -> list[int]:
    if len(node.input) > 1 and node.input[1]:
        return [int(axis) for axis in draft.known(node.input[1], node).reshape(-1)]
    return list(attributes(node).get("axes", [0]))
