"""Sliding windows over images: what the pooling ops share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import cast

import numpy as np

from onnx2snn_runtime.opspec import Array, Attr, AttributeValue, Shape, unknown_rows

POOL_ATTRIBUTES = (
    Attr("kernel_shape", "ints", "window size along each spatial axis"),
    Attr("strides", "ints", "window stride along each spatial axis"),
    Attr("pads", "ints", "begins then ends along each spatial axis"),
)


def window_sum(
    values: Array, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> Array:
    """Sum over windows, padding with zero: [N, C, ...] to [N, C, ...]."""
    parts = _places(values, kernel_shape, strides, pads, filler=0.0)
    total = next(parts).copy()
    for part in parts:
        total += part
    return total


def window_maximum(
    values: Array, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> Array:
    """Largest value in windows, padding excluded: [N, C, ...] to [N, C, ...]."""
    parts = _places(values, kernel_shape, strides, pads, filler=-np.inf)
    largest = next(parts).copy()
    for part in parts:
        np.maximum(largest, part, out=largest)
    return largest


def pooled_shapes(
    rows_shape: Shape, attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, Shape]:
    """Shapes of a pool's output for the window and for one step, from its input's [T·N, C, ...].

    As ONNX pools with explicit padding and floor division.
    """
    rows, channels, *sizes = rows_shape
    kernel = cast("Sequence[int]", attributes["kernel_shape"])
    strides = cast("Sequence[int]", attributes["strides"])
    pads = cast("Sequence[int]", attributes["pads"])
    rank = len(kernel)
    pooled: Shape = tuple(
        (size + pads[i] + pads[i + rank] - kernel[i]) // strides[i] + 1
        if isinstance(size, int)
        else None
        for i, size in enumerate(sizes)
    )
    window: Shape = (rows, channels, *pooled)
    return window, unknown_rows(window)


def _places(
    values: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    *,
    filler: float,
) -> Iterator[Array]:
    """For each place in the kernel: what all windows hold there."""
    rank = len(kernel_shape)
    pairs = [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)]
    padded = np.pad(values, pairs, constant_values=filler)
    outs = [
        (size - k) // s + 1
        for size, k, s in zip(padded.shape[2:], kernel_shape, strides, strict=True)
    ]
    for offset in product(*(range(k) for k in kernel_shape)):
        cut = [
            slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offset, outs, strides, strict=True)
        ]
        yield padded[(slice(None), slice(None), *cut)]
