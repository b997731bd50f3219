"""Layers whose sums may leave float32, computed in parts that do not.

A convolution in groups of its input channels does the same products; the sums of the groups are
added in float64, or by the kernel of the population behind it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import EXACT_FLOAT, Array, Draft, attributes


def convolve_in_parts(
    draft: Draft, node: onnx.NodeProto, weights: Array, bound: Callable[[Array], float]
) -> bool:
    """Append a convolution in groups, if some number of them suffices.

    Args:
        draft: what it is appended to.
        node: Conv of one group and without bias.
        weights: whole numbers [O, I, ...].
        bound: of the sizes of the sums that such weights may give.
    """
    output, channels = node.output[0], weights.shape[1]
    for count in range(2, channels + 1):
        parts = np.split(weights, count, axis=1) if channels % count == 0 else []
        if parts and max(map(bound, parts)) < EXACT_FLOAT:
            break
    else:
        return False
    grouped = draft.copy(node)
    grouped.input[1] = draft.constant(np.concatenate(parts), f"{output}.in_parts")
    grouped.output[0] = f"{output}.parts"
    kept = [a for a in grouped.attribute if a.name != "group"]
    del grouped.attribute[:]
    grouped.attribute.extend([*kept, onnx.helper.make_attribute("group", count)])
    names = [f"{output}.part.{i}" for i in range(count)]
    lengths = draft.constant(np.full(count, len(weights)), f"{output}.lengths", np.int64)
    draft.add(
        "Split", [grouped.output[0], lengths], names[0], more_outputs=tuple(names[1:]), axis=1
    )
    total = draft.widened(names[0])
    for i, name in enumerate(names[1:], 1):
        into = output if i == count - 1 else f"{output}.sum.{i}"
        total = draft.add("Add", [total, draft.widened(name)], into)
    if output in draft.shapes:
        draft.shapes |= dict.fromkeys(names, draft.shapes[output])
        widened = {n.output[0] for n in draft.nodes if n.input and n.input[0] in names}
        draft.shapes |= dict.fromkeys(widened, draft.shapes[output])
    draft.sizes[output] = int(sum(map(bound, parts)))
    draft.wide.add(output)
    return True


def is_plain_convolution(node: onnx.NodeProto) -> bool:
    """Whether it is a Conv of one group without bias."""
    has_bias = len(node.input) > 2 and bool(node.input[2])
    return node.op_type == "Conv" and not has_bias and attributes(node).get("group", 1) == 1
