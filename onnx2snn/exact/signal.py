"""What is known of a tensor in time: value = unit·Σ I(t) + offset, then activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from onnx2snn.exact.monotone import Monotone

if TYPE_CHECKING:
    from onnx2snn.exact.kernels import Kernel
    from onnx2snn.exact.quantizer import Quantizer

#: Integers up to here are exact in float32, whatever the order of summation.
FLOAT_EXACT = 2**24
#: Accumulators are int64; tables of them pass through float64 in other tools.
LARGEST = 2**53


class NotExact(Exception):  # noqa: N818  (a reason, not an error: the node stays analog)
    """Why a node cannot work on integers."""


@dataclass(frozen=True)
class Signal:
    """A tensor in time, [T·N, C, ...], whose rows are integers.

    Attributes:
        tensor: the rows.
        units: what 1 is worth, one value or one for each channel; positive.
        offsets: added to the sum once, likewise.
        functions: activations that still have to be applied to the value, first one first.
        peak: largest magnitude of one step's integer.
        reach: largest magnitude of the sum over time.
        settled: steps after which it is silent, whatever the input.
        is_population: whether the rows are the spikes of neurons or of an encoder.
        kernel: how onnxruntime would compute a quantizer that follows; None where not by one of
            its integer kernels.
        quantizer: whose codes the sum is; None behind a layer.
    """

    tensor: gs.Variable
    units: tuple[Fraction, ...]
    peak: int
    reach: int
    settled: int
    offsets: tuple[Fraction, ...] = (Fraction(0),)
    functions: tuple[Monotone, ...] = ()
    is_population: bool = False
    kernel: Kernel | None = None
    quantizer: Quantizer | None = None

    @property
    def is_linear(self) -> bool:
        """Whether no activation is pending."""
        return not self.functions

    @property
    def is_centred(self) -> bool:
        """Whether silence is worth zero."""
        return self.is_linear and not any(self.offsets)


def per_channel(values: Sequence[Fraction], channels: int) -> tuple[Fraction, ...]:
    """One value for each channel."""
    return tuple(values) * channels if len(values) == 1 else tuple(values)


def paired(
    first: Sequence[Fraction], second: Sequence[Fraction]
) -> list[tuple[Fraction, Fraction]]:
    """Values of the same channel; a single value stands for all."""
    count = max(len(first), len(second))
    return list(zip(per_channel(first, count), per_channel(second, count), strict=True))


def shrunk(values: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """One value where all are the same."""
    return (values[0],) if len(set(values)) == 1 else tuple(values)


def by_channel(values: npt.NDArray[np.generic], ndim: int | None) -> npt.NDArray[np.generic]:
    """Values of the channels, shaped to broadcast against one sample; one value as a scalar."""
    trailing = [1] * max((ndim or 0) - 2, 0)
    return values.reshape(-1, *trailing) if values.size > 1 else values.reshape(())


def common_unit(*units: Fraction) -> Fraction:
    """The largest unit of which all are whole multiples."""
    below = lcm(*(u.denominator for u in units))
    return Fraction(gcd(*(int(u * below) for u in units)), below)


def refuse_beyond(limit: int, size: int, what: str) -> None:
    """Check a bound.

    Raises:
        NotExact: the integers can be larger.
    """
    if size >= limit:
        raise NotExact(f"{what} can reach {float(size):.3g}, beyond exact arithmetic")
