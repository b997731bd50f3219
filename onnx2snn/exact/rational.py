"""From a signal and its quantizer to the table of a staircase neuron.

ONNX quantizes y to saturate(round(y / scale) + zero point), halves to even. So the code
s = q − zero point is reached at::

    y ≥ (s − ½)·scale where s is even,    y > (s − ½)·scale where s is odd

y is what activations make of unit·A + offset; read backwards that is a bound on the integer A.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np

from onnx2snn.exact.monotone import Bound
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.signal import Signal, per_channel
from onnx2snn.exact.table import ABOVE_ALL, BELOW_ALL, Table, trimmed


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
