"""AveragedIntegrateFire: its count of spikes in closed form.

With S = ΣI, and 0 ≤ v_init < theta, the count is clip(⌊(S + v_init) / theta⌋, 0, T). Calibrated
potentials may lie outside of that range:

- Above, spikes are due before the current comes. If it is negative, step t fires while
  T·v_init ≥ t·(T·theta − S), so that T·v_init / (T·theta − S) spikes are fired, where the quotient
  above would be less.
- Below, no step before the ⌈T·(theta − v_init) / S⌉th can fire; later ones fire once at most.

A quotient of whole numbers below 2^24, rounded to float32, is never rounded over a whole number.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import EXACT_FLOAT, Array, Draft
from onnx2snn_runtime.counts.kernels import COUNT_DOMAIN, by_channel, gather_sums, rows
from onnx2snn_runtime.counts.rule import RULES

#: Stands for sums that are not positive, so that the step of the first spike is beyond any window.
NEVER = 1e-30


@RULES.register("AveragedIntegrateFire")
def fire(draft: Draft, node: onnx.NodeProto) -> None:
    """Charge, divide, clip, round down."""
    current, theta_name, v_name, _ = node.input
    theta, v_init = draft.known(theta_name, node), draft.known(v_name, node)
    if draft.radix or current in draft.wide:
        raise draft.refusal(node, "its current is no sum in float32")
    output, early, late = node.output[0], bool(np.any(v_init >= theta)), bool(np.any(v_init < 0))
    draft.sizes[output] = draft.timesteps
    draft.binary.add(output)
    if draft.kernels and _fired_by_kernel(draft, node, theta, v_init, anywhere=early or late):
        return
    count = current
    if np.any(v_init):
        count = draft.add("Add", [count, v_name], f"{output}.charged")
    if np.any(theta != 1):
        count = _quotient(draft, count, theta, theta_name, output)
    if early:
        count = _or_fired_early(draft, count, current, theta, v_init, output)
    ends = [draft.constant(end, f"{output}.{end}") for end in (0, draft.timesteps)]
    clipped = draft.add("Clip", [count, *ends], f"{output}.clipped")
    whole = draft.add("Floor", [clipped], f"{output}.whole" if late else output)
    if late:
        _unless_too_late(draft, whole, current, theta, v_init, output)


def _fired_by_kernel(
    draft: Draft, node: onnx.NodeProto, theta: Array, v_init: Array, *, anywhere: bool
) -> bool:
    """One pass over the current, if the constants have one value for each channel."""
    current, output, rank = node.input[0], node.output[0], draft.ranks.get(node.output[0])
    start, threshold = (by_channel(value, rank) for value in (v_init, theta))
    fits = rank is not None and rank >= 2 and draft.timesteps + 1 < EXACT_FLOAT
    if start is None or threshold is None or not fits:
        return False
    divides = _divides(theta)
    divisor = threshold if divides else 1 / threshold.astype(np.float64)
    sums = gather_sums(draft, current, rank)
    neurons = draft.constant(rows((start, threshold, divisor)), f"{output}.neurons")
    factors = sums.constant(draft, output, np.float32)
    draft.add(
        "CountAveraged",
        [sums.tensors[0], factors, neurons, *sums.tensors[1:]],
        output,
        domain=COUNT_DOMAIN,
        timesteps=draft.timesteps,
        divides=int(divides),
        anywhere=int(anywhere),
    )
    return True


def _divides(theta: Array) -> bool:
    """Whether the product with 1/theta would lose what the quotient of whole numbers keeps."""
    mantissas, _ = np.frexp(theta)
    return np.array_equal(theta, np.rint(theta)) and not np.all(mantissas == 0.5)


def _quotient(draft: Draft, charged: str, theta: Array, name: str, output: str) -> str:
    """The product with 1/theta where nothing is lost: it is folded into the weights in front."""
    if _divides(theta):
        return draft.add("Div", [charged, name], f"{output}.ratio")
    inverse = draft.constant(1 / theta.astype(np.float64), f"{output}.inverse")
    return draft.add("Mul", [charged, inverse], f"{output}.ratio")


def _or_fired_early(
    draft: Draft, count: str, current: str, theta: Array, v_init: Array, output: str
) -> str:
    T, zero = draft.timesteps, draft.constant(0, f"{output}.zero")
    due = draft.constant(T * v_init, f"{output}.due")
    price = draft.constant(T * theta, f"{output}.price")
    loss = draft.add("Min", [current, zero], f"{output}.loss")
    each = draft.add("Sub", [price, loss], f"{output}.each")
    early = draft.add("Div", [due, each], f"{output}.early")
    return draft.add("Max", [count, early], f"{output}.either")


def _unless_too_late(
    draft: Draft, count: str, current: str, theta: Array, v_init: Array, output: str
) -> None:
    T, never = draft.timesteps, draft.constant(NEVER, f"{output}.never")
    missing = draft.constant(T * (theta - v_init), f"{output}.missing")
    steps = draft.constant(T + 1, f"{output}.steps")
    gain = draft.add("Max", [current, never], f"{output}.gain")
    wait = draft.add("Div", [missing, gain], f"{output}.wait")
    first = draft.add("Ceil", [wait], f"{output}.first")
    left = draft.add("Sub", [steps, first], f"{output}.left")
    fewer = draft.add("Min", [count, left], f"{output}.fewer")
    zero = draft.constant(0, f"{output}.none")
    draft.add("Max", [fewer, zero], output)
