"""AveragedIntegrateFire: count = clip(⌊(ΣI + v_init) / theta⌋, 0, T)."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import Array, Draft
from onnx2snn_runtime.counts.rule import RULES


@RULES.register("AveragedIntegrateFire")
def fire(draft: Draft, node: onnx.NodeProto) -> None:
    """Charge, divide, clip, round down.

    The quotient of whole numbers below 2^24, rounded to float32, is never rounded up to a whole
    number. Where the numbers are not whole to begin with, or theta is a power of two, the product
    with 1/theta takes its place: onnxruntime folds it into the weights in front.
    """
    current, theta_name, v_name, _ = node.input
    theta, v_init = draft.known(theta_name, node), draft.known(v_name, node)
    if draft.radix or current in draft.wide:
        raise draft.refusal(node, "its current is no sum in float32")
    if np.any(v_init < 0) or not np.all(v_init < theta):
        raise draft.refusal(node, "its potential begins outside of the range from 0 to theta")
    output = node.output[0]
    if np.any(v_init):
        current = draft.add("Add", [current, v_name], f"{output}.charged")
    if np.any(theta != 1):
        current = _quotient(draft, current, theta, theta_name, output)
    ends = [draft.constant(end, f"{output}.{end}") for end in (0, draft.timesteps)]
    clipped = draft.add("Clip", [current, *ends], f"{output}.clipped")
    draft.add("Floor", [clipped], output)
    draft.sizes[output] = draft.timesteps
    draft.binary.add(output)


def _quotient(draft: Draft, charged: str, theta: Array, name: str, output: str) -> str:
    mantissas, _ = np.frexp(theta)
    whole = np.array_equal(theta, np.rint(theta)) and not np.all(mantissas == 0.5)
    if whole:
        return draft.add("Div", [charged, name], f"{output}.ratio")
    inverse = draft.constant(1 / theta.astype(np.float64), f"{output}.inverse")
    return draft.add("Mul", [charged, inverse], f"{output}.ratio")
