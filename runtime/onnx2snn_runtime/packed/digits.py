"""Float weights as whole numbers of up to three int8 digits."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.packed.graph import Array

BASE = 256
DIGITS = 3
#: The largest number of three digits from −128 to 127.
LARGEST = 127 * (BASE**2 + BASE + 1)
#: Exponent of the smallest normal float32.
SMALLEST_EXPONENT = -126


def digits_of(weights: Array) -> tuple[Array, Array] | None:
    """Float weights as digits and a scale for each output channel; None if one is not finite.

    The scale is the smallest power of two at which a channel's largest weight has three digits, so
    that a weight is off by at most 1/LARGEST, about 2^−23, of that one, and whole numbers up to
    2^16 are exact. A float32 sum of products rounds more than that.

    Args:
        weights: float32 [outputs, ...].

    Returns:
        int8 [digits, outputs, ...], lowest digit first, without low digits that are 0 everywhere,
        and float32 [outputs], so that a weight is the sum of digit·256^place, times the scale.
    """
    if not np.isfinite(weights).all():
        return None
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    _, exponents = np.frexp(np.abs(rows).max(axis=1, initial=0.0) / LARGEST)
    exponents = np.maximum(exponents, SMALLEST_EXPONENT)
    rest = np.rint(np.ldexp(rows, -exponents[:, None])).astype(np.int32)
    digits = np.empty((DIGITS, *rows.shape), np.int8)
    for digit in digits:
        half = BASE // 2
        digit[:] = low = ((rest + half) & (BASE - 1)) - half
        rest = (rest - low) >> 8
    unused = 0
    while unused < DIGITS - 1 and not digits[unused].any():
        unused += 1
    scale = np.ldexp(np.ones(len(rows), np.float32), exponents + 8 * unused)
    return digits[unused:].reshape(-1, *weights.shape), scale.astype(np.float32)
