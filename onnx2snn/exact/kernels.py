"""onnxruntime's own arithmetic: what its integer kernels round in float32, as tables.

The formulas are those of its x86 kernels with AVX2 or newer, found by comparing bit for bit. All
operations are in float32, halves round to even::

    QLinearConv, QLinearMatMul, QGemm   q = round(float(A + b) · (x_scale · w_scale / y_scale)) + z
    QLinearAveragePool of whole images  q = round(float(A) · (x_scale / (y_scale · places))) + z
    QuantizeLinear(DequantizeLinear)    q = round((c · x_scale) / y_scale) + z
    QLinearAdd                          q = round(fma(a, r_a, fma(b, r_b, fixed)))
        r_a = a_scale / c_scale,  r_b = b_scale / c_scale
        fixed = z_c − fma(r_a, z_a, r_b · z_b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from onnx2snn.exact.monotone import Clipped, Monotone
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.table import Table, trimmed

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Kernel(Protocol):
    """How onnxruntime computes a quantizer's integers from an accumulator."""

    def table(
        self, quantizer: Quantizer, functions: Sequence[Monotone], reach: int
    ) -> Table | None:
        """Its staircase; None where no integer kernel would run."""
        ...


@dataclass(frozen=True)
class Lookup:
    """Codes of one scale, elementwise: dequantized, activated, quantized again.

    Attributes:
        scale: of the codes.
    """

    scale: np.float32

    def table(
        self, quantizer: Quantizer, functions: Sequence[Monotone], reach: int
    ) -> Table | None:
        """Evaluated at every code."""
        if quantizer.channels > 1 or not all(isinstance(f, Clipped) for f in functions):
            return None
        target, zero = quantizer.of_channel(0)

        def codes(acc: Integers) -> Integers:
            values = acc.astype(np.float32) * self.scale
            for function in functions:
                assert isinstance(function, Clipped)
                low, high = np.float32(float(function.lower)), np.float32(float(function.upper))
                values = np.minimum(np.maximum(values, low), high)
            return _rounded(values / np.float32(float(target)))

        return _searched(codes, quantizer, zero, reach, channels=1)


@dataclass(frozen=True)
class Requantized:
    """An int32 accumulator times a float32 factor for each channel.

    Attributes:
        products: what the factor divides by the quantizer's scale: x_scale·w_scale, one or one
            for each channel.
        biases: added to the accumulator, likewise.
        places: number of places of an average, which divides with the scale.
    """

    products: tuple[np.float32, ...]
    biases: tuple[int, ...] = (0,)
    places: int = 1

    def table(
        self, quantizer: Quantizer, functions: Sequence[Monotone], reach: int
    ) -> Table | None:
        """By bisection: the kernel never falls."""
        if quantizer.channels > 1 or not all(map(quantizer.repeats, functions)):
            return None
        target, zero = quantizer.of_channel(0)
        divisor = np.float32(float(target)) * np.float32(self.places)
        factors = (np.array(self.products, dtype=np.float32) / divisor).reshape(-1, 1)
        biases = np.array(self.biases, dtype=np.int64).reshape(-1, 1)

        def codes(acc: Integers) -> Integers:
            return _rounded((acc + biases).astype(np.float32) * factors)

        channels = max(len(self.products), len(self.biases))
        return _searched(codes, quantizer, zero, reach, channels)


@dataclass(frozen=True)
class Addition:
    """QLinearAdd of two operands whose float32 values are put on one grid of integers.

    Attributes:
        step: what 1 of the accumulator is worth, a power of two.
        start: the grid value where both codes are zero.
    """

    step: Fraction
    start: int

    def table(
        self, quantizer: Quantizer, functions: Sequence[Monotone], reach: int
    ) -> Table | None:
        """By bisection; the zero point is part of the value that is rounded."""
        if quantizer.channels > 1 or not all(map(quantizer.repeats, functions)):
            return None
        _, zero = quantizer.of_channel(0)

        def codes(acc: Integers) -> Integers:
            exact = (acc + self.start).astype(np.float64) * float(self.step)
            return _rounded(exact.astype(np.float32)) - zero

        return _searched(codes, quantizer, zero, reach, channels=1)


@dataclass(frozen=True)
class Operands:
    """How two codes become the accumulator of an :class:`Addition`.

    Attributes:
        factor: of the first code.
        entries: of the second code, from ``lowest`` on: the change from code zero.
        lowest: the smallest second code.
        kernel: what is done with their sum.
    """

    factor: int
    entries: Integers
    lowest: int
    kernel: Addition


def operands(first: Quantizer, second: Quantizer, result: Quantizer) -> Operands | None:
    """The operands of a quantized sum, or None where scales differ by channel."""
    if first.channels > 1 or second.channels > 1 or result.channels > 1:
        return None
    (scale_a, zero_a), (scale_b, zero_b) = first.of_channel(0), second.of_channel(0)
    scale_c, zero_c = result.of_channel(0)
    divisor = np.float32(float(scale_c))
    ratio_a = np.float32(float(scale_a)) / divisor
    ratio_b = np.float32(float(scale_b)) / divisor
    zero_part = np.float64(ratio_a) * zero_a + np.float64(ratio_b * np.float32(zero_b))
    fixed = np.float32(zero_c) - np.float32(zero_part)
    lowest, highest = min(second.lowest - zero_b, 0), max(second.highest - zero_b, 0)
    integers = np.arange(lowest, highest + 1, dtype=np.float64) + zero_b
    values = (integers * np.float64(ratio_b) + np.float64(fixed)).astype(np.float32)
    step = min(_last_bit(v) for v in (ratio_a, *values))
    on_grid = [int(Fraction(float(v)) / step) for v in values]
    entries = np.array(on_grid, dtype=np.int64) - on_grid[-lowest]
    factor = int(Fraction(float(ratio_a)) / step)
    return Operands(factor, entries, lowest, Addition(step, on_grid[-lowest] + factor * zero_a))


def _last_bit(value: np.float32) -> Fraction:
    """The power of two of a float's last bit that is set; large for zero."""
    exact = Fraction(float(value))
    if exact == 0:
        return Fraction(2**32)
    lowest = exact.numerator & -exact.numerator
    return Fraction(lowest, exact.denominator)


def _rounded(values: Floats) -> Integers:
    codes: Integers = np.rint(values).astype(np.float64).clip(-(2.0**40), 2.0**40).astype(np.int64)
    return codes


def _searched(
    codes: Callable[[Integers], Integers],
    quantizer: Quantizer,
    zero: int,
    reach: int,
    channels: int,
) -> Table:
    """For each channel and level the smallest accumulator that reaches it."""
    low, high = quantizer.lowest - zero, quantizer.highest - zero
    levels = np.broadcast_to(np.arange(low + 1, high + 1), (channels, high - low))
    below = np.full(levels.shape, -reach - 1, dtype=np.int64)
    above = np.full(levels.shape, reach + 1, dtype=np.int64)
    below = np.where(codes(below) >= levels, below - 1, below)
    while (above - below > 1).any():
        middle = (below + above) // 2
        reached = codes(middle) >= levels
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    return trimmed(above, low, reach)
