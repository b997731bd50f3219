"""From a signal and its quantizer to the table of a staircase neuron.

ONNX quantizes y to saturate(round(y / scale) + zero point), halves to even. So the code
s = q − zero point is reached at::

    y ≥ (s − ½)·scale where s is even,    y > (s − ½)·scale where s is odd

y is what activations make of unit·A + offset; read backwards that is a bound on the integer A.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np
import numpy.typing as npt

from onnx2snn.exact.monotone import Bound
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.signal import Signal, per_channel

#: Entries that every accumulator, or none, reaches.
BELOW_ALL, ABOVE_ALL = -(2**62), 2**62


@dataclass(frozen=True)
class Table:
    """A staircase for each channel.

    Attributes:
        tau: int64 [C or 1, K], ascending: the smallest accumulator of each level above ``s_min``.
        s_min: the lowest code that can occur.
    """

    tau: npt.NDArray[np.int64]
    s_min: int

    @property
    def s_max(self) -> int:
        """The highest code that can occur."""
        return self.s_min + self.tau.shape[1]

    @property
    def magnitude(self) -> int:
        """The largest |code|; at least 1."""
        return max(abs(self.s_min), abs(self.s_max), 1)


def rational_table(signal: Signal, quantizer: Quantizer) -> Table:
    """The table of exact real arithmetic on the file's constants."""
    channels = max(
        len(signal.units),
        len(signal.offsets),
        quantizer.channels,
        *(f.channels for f in signal.functions),
        1,
    )
    units, offsets = per_channel(signal.units, channels), per_channel(signal.offsets, channels)
    lows = [quantizer.lowest - quantizer.of_channel(c)[1] for c in range(channels)]
    highs = [quantizer.highest - quantizer.of_channel(c)[1] for c in range(channels)]
    codes = range(min(lows) + 1, max(highs) + 1)
    tau = np.empty((channels, len(codes)), dtype=np.int64)
    shared: dict[Fraction, list[Bound]] = {}
    plain = all(f.channels == 1 for f in signal.functions)
    for channel in range(channels):
        scale, _ = quantizer.of_channel(channel)
        bounds = shared.get(scale) if plain else None
        if bounds is None:
            bounds = [_bound(code, scale, signal, channel) for code in codes]
            shared[scale] = bounds
        row = _row(bounds, units[channel], offsets[channel])
        first, last = lows[channel] - min(lows), highs[channel] - min(lows)
        tau[channel] = [*[BELOW_ALL] * first, *row[first:last], *[ABOVE_ALL] * (len(codes) - last)]
    return trimmed(tau, min(lows), signal.reach)


def trimmed(tau: npt.NDArray[np.int64], s_min: int, reach: int) -> Table:
    """Without the levels that no accumulator of magnitude ``reach`` leaves or reaches."""
    always = int((tau <= -reach).all(axis=0).sum())
    never = int((tau > reach).all(axis=0).sum())
    kept = tau[:, always : tau.shape[1] - never]
    if kept.shape[1] == 0:  # a constant; a table needs an entry
        kept = np.full((len(tau), 1), ABOVE_ALL, dtype=np.int64)
    if (kept == kept[:1]).all():
        kept = kept[:1]
    return Table(np.ascontiguousarray(kept), s_min + always)


def _bound(code: int, scale: Fraction, signal: Signal, channel: int) -> Bound:
    """What unit·A + offset must reach for a code."""
    bound = Bound((code - Fraction(1, 2)) * scale, strict=code % 2 != 0)
    for function in reversed(signal.functions):
        bound = function.invert(bound, channel)
    return bound


def _row(bounds: list[Bound], unit: Fraction, offset: Fraction) -> list[int]:
    return [_smallest(bound, unit, offset) for bound in bounds]


def _smallest(bound: Bound, unit: Fraction, offset: Fraction) -> int:
    """The smallest integer A with unit·A + offset within the bound."""
    if bound.value in (-inf, inf):
        return BELOW_ALL if bound.value == -inf else ABOVE_ALL
    exact = (Fraction(bound.value) - offset) / unit
    floor = exact.numerator // exact.denominator
    whole = floor if exact.denominator == 1 and not bound.strict else floor + 1
    return min(max(whole, BELOW_ALL), ABOVE_ALL)
