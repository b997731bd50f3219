"""Weights as integers of few bits times a scale for each output channel.

The scale is the one of least squared error, so that the largest weights may be clipped. Weights
that are integers times one scale already, as those of a quantized source, keep their integers.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.graphs import Array

Codes: TypeAlias = npt.NDArray[np.int8]
Rows: TypeAlias = npt.NDArray[np.float64]

#: The largest weight that is not clipped, as shares of the largest weight.
SHARES = np.linspace(0.3, 1.0, 29)
#: Rounds of "nearest integers for the scale, best scale for the integers" behind the search.
ROUNDS = 3
#: How far from integers weights on a grid may be: float32 products of an integer, scales and
#: amplitudes are off by some units in the last place.
TOLERANCE = 2e-4
#: Weights looked at first, to find a grid.
FEW = 32
#: Weights held at once as float64, about.
BLOCK = 1 << 21


def quantize_weights(weights: Array, axis: int, bits: int) -> tuple[Codes, Array]:
    """Integers and scales for weights.

    Args:
        weights: finite, of any shape.
        axis: of the output channels.
        bits: 2 to 8; integers lie in ±(2^(bits−1) − 1), and reach −2^(bits−1) only where the
            weights are integers times one scale already.

    Returns:
        The integers in the shape of the weights, and a float32 scale for each output channel, 1
        for channels without a weight other than zero.
    """
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    codes = np.empty(rows.shape, dtype=np.int8)
    scales = np.empty(len(rows), dtype=np.float32)
    size = max(1, BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        codes[part], scales[part] = _quantized(rows[part].astype(np.float64), bits)
    moved = np.moveaxis(weights, axis, 0).shape
    return np.ascontiguousarray(np.moveaxis(codes.reshape(moved), 0, axis)), scales


def dequantize(codes: Codes, scales: Array, axis: int) -> Array:
    """What DequantizeLinear makes of them: float32."""
    shape = [1] * codes.ndim
    shape[axis] = -1
    values: Array = codes.astype(np.float32) * scales.reshape(shape)
    return values


def _quantized(rows: Rows, bits: int) -> tuple[Rows, Rows]:
    limit = 2 ** (bits - 1) - 1
    # A scale must be a normal number of float32; what is smaller is as good as zero.
    live = np.abs(rows).max(axis=1, initial=0) > limit * np.finfo(np.float32).tiny
    codes, scales = np.zeros(rows.shape), np.ones(len(rows))
    steps = _on_grid(rows, bits) * live
    tops = np.abs(rows).max(axis=1, initial=0)
    for chosen, start in ((steps > 0, tops / np.maximum(steps, 1)), (live & (steps == 0), None)):
        part = rows[chosen]
        if start is None:
            codes[chosen], scales[chosen] = _least_error(part, limit)
        else:
            codes[chosen] = np.rint(part / start[chosen, None])
            scales[chosen] = _best_scale(part, codes[chosen])
    return codes, scales


def _on_grid(rows: Rows, bits: int) -> npt.NDArray[np.int64]:
    """For every row the smallest integer that its largest weight can be; 0 where there is none."""
    found = np.zeros(len(rows), dtype=np.int64)
    tops = np.abs(rows).max(axis=1, initial=0)
    shares = rows / np.where(tops > 0, tops, 1)[:, None]
    few = shares[:, np.linspace(0, rows.shape[1] - 1, min(FEW, rows.shape[1])).astype(int)]
    for step in range(1, 2 ** (bits - 1) + 1):
        near = np.flatnonzero((found == 0) & _near_integers(few * step))
        whole = near[_near_integers(shares[near] * step)]
        most = np.rint(shares[whole] * step).max(axis=1, initial=0)
        found[whole[most < 2 ** (bits - 1)]] = step
    return found


def _near_integers(values: Rows) -> npt.NDArray[np.bool_]:
    far = np.abs(values - np.rint(values)).max(axis=1, initial=0)
    near: npt.NDArray[np.bool_] = far <= TOLERANCE
    return near


def _least_error(rows: Rows, limit: int) -> tuple[Rows, Rows]:
    """The best clipping of a grid, then integers and scales in turn."""
    tops = np.abs(rows).max(axis=1, initial=0)
    best, most = tops / limit, np.full(len(rows), -np.inf)
    for share in SHARES:
        codes = _nearest(rows, tops * share / limit, limit)
        # Of all scales for these integers the best removes so much of the squared weights.
        removed = _product(rows, codes) ** 2 / _product(codes, codes)
        better = removed > most
        best = np.where(better, _best_scale(rows, codes), best)
        most = np.where(better, removed, most)
    for _ in range(ROUNDS):
        best = _best_scale(rows, _nearest(rows, best, limit))
    # The integers must be the nearest for the scale in float32.
    scales = best.astype(np.float32).astype(np.float64)
    return _nearest(rows, scales, limit), scales


def _nearest(rows: Rows, scales: Rows, limit: int) -> Rows:
    return np.clip(np.rint(rows / scales[:, None]), -limit, limit)


def _best_scale(rows: Rows, codes: Rows) -> Rows:
    return _product(rows, codes) / _product(codes, codes)


def _product(a: Rows, b: Rows) -> Rows:
    product: Rows = np.einsum("ij,ij->i", a, b)
    return product
