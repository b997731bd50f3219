"""From a signal and its quantizer to the table of a staircase neuron.

ONNX quantizes y to saturate(round(y / scale) + zero point), halves to even. So the code
s = q − zero point is reached at::

    y ≥ (s − ½)·scale where s is even,    y > (s − ½)·scale where s is odd

y is what activations make of unit·A + offset; read backwards that is a bound on the integer A.
"""

from __future__ import annotations

from fractions import Fraction

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
    half = Fraction((2 * code - 1) * scale.numerator, 2 * scale.denominator)
    bound = Bound(half, strict=code % 2 != 0)
    for function in reversed(signal.functions):
        bound = function.invert(bound, channel)
    return bound


def _row(bounds: list[Bound], unit: Fraction, offset: Fraction) -> list[int]:
    """For each bound the smallest integer A with unit·A + offset within it.

    In integers, because reducing millions of fractions takes minutes::

        A ≥ (n/d − o/p) / (u/v)  =  (n·p − o·d)·v / (d·p·u)
    """
    (o, p), (u, v) = offset.as_integer_ratio(), unit.as_integer_ratio()
    row = []
    for bound in bounds:
        if isinstance(bound.value, float):
            row.append(BELOW_ALL if bound.value < 0 else ABOVE_ALL)
            continue
        n, d = bound.value.numerator, bound.value.denominator
        floor, rest = divmod((n * p - o * d) * v, d * p * u)
        whole = floor if rest == 0 and not bound.strict else floor + 1
        row.append(min(max(whole, BELOW_ALL), ABOVE_ALL))
    return row
