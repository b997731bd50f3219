"""QuantizeLinear and DequantizeLinear, exactly: halves to even, saturation, zero points."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.evaluation.rational.exact import (
    Array,
    Exact,
    FloatError,
    Term,
    as_float,
    fractions,
)

#: u, the unit roundoff of float32.
FLOAT32_ROUNDOFF = 2.0**-24
#: Of the division by the scale, and of the scale's own product or quotient in float32.
QUANTIZER_ROUNDINGS = 1
#: q·scale is one product; q − zero_point is exact.
DEQUANTIZER_ROUNDINGS = 1


@dataclass(frozen=True)
class Quantizer:
    """A quantizer's constants.

    Attributes:
        scale: Fractions, broadcastable against the tensor.
        zero_point: float64, likewise.
        dtype: of the integers.
        lowest: smallest integer.
        highest: largest integer.
    """

    scale: Array
    zero_point: Array
    dtype: np.dtype[Any]
    lowest: int
    highest: int

    def steps(self, value: Exact) -> Exact:
        """The value in units of the scale, before zero point, rounding and saturation."""
        return value.scaled(1 / self.scale)

    def round(self, steps: Exact) -> Array:
        """The integers, zero point included."""
        values, error = steps.estimate()
        inside = (values + self.zero_point > self.lowest - 1) & (
            values + self.zero_point < self.highest + 1
        )
        levels = np.rint(values)
        close = np.nonzero((np.abs(np.abs(values - levels) - 0.5) <= error) & inside)
        if close[0].size:
            levels[close] = steps.decide(close, round)
        whole = np.clip(levels + self.zero_point, self.lowest, self.highest)
        integers: Array = whole.astype(np.int64).astype(self.dtype)
        return integers

    def reach(self, error: FloatError) -> Array:
        """How far, in steps, a float32 evaluation may be from the exact value."""
        n = (error.roundings + QUANTIZER_ROUNDINGS) * FLOAT32_ROUNDOFF
        reach: Array = n / (1 - n) * error.size / as_float(self.scale)
        return reach


def quantizer(
    scale: Array, zero_point: Array | None, axis: int, block: int, rank: int
) -> Quantizer:
    """From a QuantizeLinear's constants, for a tensor of the given rank.

    Raises:
        UnsupportedModelError: it quantizes to floats, or in blocks.
    """
    if block:
        raise UnsupportedModelError("quantizes activations in blocks")
    kind = np.dtype(np.uint8) if zero_point is None else zero_point.dtype
    lowest, highest = _limits(kind)
    points = np.zeros(1) if zero_point is None else zero_point.astype(np.float64)
    return Quantizer(
        fractions(along(scale.astype(np.float64), axis, rank)),
        along(points, axis, rank),
        kind,
        lowest,
        highest,
    )


def dequantize(
    integers: Array, scale: Array, zero_point: Array | None, axis: int, block: int, *, bounds: bool
) -> Exact:
    """The values that integers stand for.

    Args:
        integers: as stored.
        scale: float, one, one for each index of ``axis``, or one for each block.
        zero_point: shaped as the scale; None for 0.
        axis: see above.
        block: length of a block along ``axis``; 0 for none.
        bounds: whether to keep track of what float32 would make of it.
    """
    rank = integers.ndim
    points = np.zeros(1) if zero_point is None else zero_point.astype(np.float64)
    factors = scale.astype(np.float64)
    if block:
        length = integers.shape[axis]
        factors, points = (
            p if p.size == 1 else np.repeat(p, block, axis=axis).take(range(length), axis=axis)
            for p in (factors, points)
        )
    unit = along(factors, axis, rank)
    levels = integers.astype(np.float64) - along(points, axis, rank)
    error = FloatError(np.abs(levels * unit), DEQUANTIZER_ROUNDINGS) if bounds else None
    return Exact((Term(levels, fractions(unit)),), error)


def along(parameter: Array, axis: int, rank: int) -> Array:
    """One value, or one for each index of an axis, broadcastable against a tensor."""
    if parameter.size == 1:
        return parameter.reshape((1,) * rank)
    if parameter.ndim != 1:
        return parameter
    shape = [1] * rank
    shape[axis] = -1
    return parameter.reshape(shape)


def distance_to_tie(steps: Fraction) -> Fraction:
    """How far a value is from the nearest boundary between two levels, in steps."""
    below = Fraction(steps.numerator // steps.denominator)
    return abs(steps - below - Fraction(1, 2))


def _limits(kind: np.dtype[Any]) -> tuple[int, int]:
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return int(limits.min), int(limits.max)
    try:
        narrow = ml_dtypes.iinfo(kind)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise UnsupportedModelError(f"quantizes to {kind}, not to integers") from error
    return int(narrow.min), int(narrow.max)
