"""Layers: the sum of the currents is the layer of the sum of the spikes, with T times the bias."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import EXACT_FLOAT, Array, Draft, attributes
from onnx2snn_runtime.counts.parts import convolve_in_parts, is_plain_convolution
from onnx2snn_runtime.counts.rule import RULES


def _gain(node: onnx.NodeProto, weights: Array, *, natural: bool) -> float:
    """How large a sum in one output may become for inputs of size 1, or a bound of it.

    In any order: while inputs are not negative, no part of a sum is further from zero than all of
    its positive, or all of its negative terms.
    """
    if natural:
        parts = (np.maximum(weights, 0), np.minimum(weights, 0))
        return max(_gain(node, part, natural=False) for part in parts)
    sizes = np.abs(weights.astype(np.float64))
    if node.op_type == "Conv":
        sums = sizes.reshape(len(sizes), -1).sum(axis=1)
    elif node.op_type == "Gemm":
        sums = sizes.sum(axis=1 if attributes(node).get("transB") else 0)
    elif node.op_type == "MatMul":
        sums = sizes.sum(axis=-2) if sizes.ndim > 1 else sizes.sum()
    else:
        sums = sizes.sum()
    return float(np.max(sums, initial=0))


@RULES.register("Conv", "ConvTranspose", "Gemm", "MatMul")
def layer(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep the layer; its bias counts once for every step."""
    values, weights, *bias = node.input
    if values not in draft.timed or not draft.is_static(weights):
        raise draft.refusal(node, "its weights are computed")
    if values in draft.wide:
        raise draft.refusal(node, "its input is too large for float32")
    if attributes(node).get("transA"):
        raise draft.refusal(node, "it transposes its input")
    if draft.exact and _in_parts(draft, node):
        return
    kept = draft.copy(node)
    if bias and bias[0]:
        kept.input[2] = draft.offset(bias[0], node)
    _bound(draft, node, kept)


def _in_parts(draft: Draft, node: onnx.NodeProto) -> bool:
    """Compute whole sums beyond float32 in parts, if the layer allows it."""
    size, weights = draft.sizes.get(node.input[0]), draft.value(node.input[1])
    if size is None or weights is None or not is_plain_convolution(node):
        return False
    if not np.array_equal(weights, np.rint(weights)):
        return False

    def bound(part: Array) -> float:
        return size * _gain(node, part, natural=draft.is_natural(node.input[0]))

    return bound(weights) >= EXACT_FLOAT and convolve_in_parts(draft, node, weights, bound)


def _bound(draft: Draft, node: onnx.NodeProto, kept: onnx.NodeProto) -> None:
    size, weights = draft.sizes.get(node.input[0]), draft.value(node.input[1])
    given = attributes(node)
    scaled = given.get("alpha", 1.0) != 1 or given.get("beta", 1.0) != 1
    if size is None or weights is None or scaled:
        return
    constants = [weights]
    largest = _gain(node, weights, natural=draft.is_natural(node.input[0])) * size
    if len(kept.input) > 2 and kept.input[2]:
        bias = draft.known(kept.input[2], node)
        constants.append(bias)
        largest += float(np.abs(bias).max(initial=0))
    if all(np.array_equal(c, np.rint(c)) for c in constants) and largest < EXACT_FLOAT:
        draft.sizes[node.output[0]] = int(largest)
