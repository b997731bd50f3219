"""Ridge regression of a layer's weights on the mean spikes that it receives.

A layer computes z = W·x̄ + b from patches x̄ of its input. For an error E of z at sampled places,
the correction of W and b is, with the patches (and a one for the bias) as the rows of X::

    D = (XᵀX + λ·mean(diag XᵀX)·I)⁻¹ Xᵀ E

The bias is not drawn to zero; a MatMul has none. Groups of a convolution are regressions of their
own.
"""

from __future__ import annotations

from copy import copy
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from onnx2snn.calibration.corrected import Corrected
from onnx2snn.segment import Layer

Array: TypeAlias = npt.NDArray[np.float32]
Places: TypeAlias = tuple[npt.NDArray[np.int64], ...]
#: Some of the sampled places.
Rows: TypeAlias = "slice | npt.NDArray[np.bool_]"

#: Sampled rows for each weight of an output, and the most numbers that X may hold.
ROWS_PER_WEIGHT = 512
LARGEST = 1 << 25
#: The normal equations of more weights per output would not fit in memory.
MOST_WEIGHTS = 8192
#: Draws the bias to zero, hardly.
BIAS_SHARE = 1e-6
POWER_STEPS = 20


class Regression:
    """The regression problem of one layer: sampled patches, and the factor of their moments.

    Args:
        layer: the layer.
        weight: its weights.
        x: [N, ...] the means of what it reads.
        shape: of what it computes, [N, C, ...], or [N, ..., C] for matrices.
        rng: for the places.
        ridge: λ.
    """

    def __init__(
        self,
        layer: Layer,
        weight: Array,
        x: Array,
        shape: tuple[int, ...],
        rng: np.random.Generator,
        ridge: float,
    ) -> None:
        self.layer = layer
        self.weights = _weights_per_output(layer, weight)
        spatial = shape[2:] if layer.op == "Conv" else shape[1:-1]
        self.places = _places((shape[0], *spatial), self._rows(shape[0], spatial), rng)
        self.features = _features(layer, weight, x, self.places)
        self._moments = (self.features.transpose(0, 2, 1) @ self.features).astype(np.float64)
        self._invert(ridge)

    def of_rows(self, rows: Rows) -> Regression:
        """The same problem on some of the sampled places."""
        part = copy(self)
        part.places = tuple(axis[rows] for axis in self.places)
        part.features = self.features[:, rows]
        part._moments = (part.features.transpose(0, 2, 1) @ part.features).astype(np.float64)
        part._invert(self._ridge)
        return part

    def with_ridge(self, ridge: float) -> Regression:
        """The same problem with another λ."""
        other = copy(self)
        other._invert(ridge)
        return other

    def _invert(self, ridge: float) -> None:
        self._ridge = ridge
        moments = self._moments.copy()
        size = moments.shape[1]
        diagonal = moments[:, range(size), range(size)]
        scale = diagonal[:, : self.weights].mean(axis=1, keepdims=True)
        drawn = np.maximum(np.repeat(ridge * scale, size, axis=1), np.finfo(np.float32).eps)
        drawn[:, self.weights :] = BIAS_SHARE * diagonal[:, self.weights :]
        moments[:, range(size), range(size)] += drawn
        self._inverse = np.linalg.inv(moments)
        self._drawn = drawn

    @staticmethod
    def fits(layer: Layer, weight: Array) -> bool:
        """Whether the layer's normal equations fit in memory."""
        return _weights_per_output(layer, weight) < MOST_WEIGHTS

    def sample(self, values: Array) -> Array:
        """[rows, C]: what stands at the sampled places of an array shaped as the output."""
        channels_last = np.moveaxis(values, 1, -1) if self.layer.op == "Conv" else values
        sampled: Array = channels_last[self.places]
        return sampled

    def solve(self, error: Array, before: Array | None = None) -> Array:
        """[groups, features, outputs]: the correction D for errors [rows, C].

        Args:
            error: what is missing at the sampled places.
            before: what was corrected already; it is drawn towards zero as well.
        """
        groups, rows, _ = self.features.shape
        split = error.reshape(rows, groups, -1).transpose(1, 0, 2)
        moments = (self.features.transpose(0, 2, 1) @ split).astype(np.float64)
        if before is not None:
            moments -= self._drawn[:, :, None] * before
        return (self._inverse @ moments).astype(np.float32)

    def gradient(self, error: Array, rows: slice) -> Array:
        """[groups, features, outputs]: the way down of half the mean squared error at some rows."""
        part = self.features[:, rows]
        split = error.reshape(part.shape[1], part.shape[0], -1).transpose(1, 0, 2)
        way: Array = part.transpose(0, 2, 1) @ split / np.float32(part.shape[1])
        return way

    def steepness(self) -> float:
        """The largest curvature of half the mean squared error: one over it is a safe step."""
        features = self.features
        direction = np.ones((features.shape[0], features.shape[2], 1), dtype=np.float32)
        steepest = 0.0
        for _ in range(POWER_STEPS):
            direction = features.transpose(0, 2, 1) @ (features @ direction) / features.shape[1]
            lengths = np.linalg.norm(direction, axis=1, keepdims=True)
            steepest = float(lengths.max())
            direction = direction / np.maximum(lengths, np.finfo(np.float32).tiny)
        return steepest

    def effect(self, correction: Array, rows: Rows = slice(None)) -> Array:
        """[rows, C]: what a correction adds at the sampled places."""
        change = self.features[:, rows] @ correction
        return change.transpose(1, 0, 2).reshape(change.shape[1], -1)

    def corrected(self, old: Corrected, correction: Array) -> Corrected:
        """New weights, and a new bias where the layer can have one."""
        weight, bias = correction[:, : self.weights], correction[:, self.weights :].reshape(-1)
        if self.layer.op == "MatMul":
            return Corrected(old.weight + weight[0])
        start = np.zeros_like(bias) if old.bias is None else old.bias.reshape(-1)
        if self.layer.op == "Gemm":
            return Corrected(old.weight + weight[0], start + bias)
        return Corrected(
            old.weight + weight.transpose(0, 2, 1).reshape(old.weight.shape), start + bias
        )

    def _rows(self, samples: int, spatial: tuple[int, ...]) -> int:
        held = self.weights * self.layer.group
        wanted = min(ROWS_PER_WEIGHT * self.weights, LARGEST // max(held, 1))
        return min(samples * int(np.prod(spatial)), max(wanted, samples))


def _weights_per_output(layer: Layer, weight: Array) -> int:
    return int(np.prod(weight.shape[1:])) if layer.op == "Conv" else weight.shape[0]


def _places(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> Places:
    """Sampled places [count] along every axis but the channels', all of them if they are few."""
    total = int(np.prod(shape))
    chosen = np.arange(total) if count >= total else np.sort(rng.choice(total, count, False))
    return tuple(np.unravel_index(chosen, shape))


def _features(layer: Layer, weight: Array, x: Array, places: Places) -> Array:
    """[groups, rows, features]: patches at the places, and a one for the bias."""
    if layer.op == "MatMul":
        return np.ascontiguousarray(x[places][None])
    if layer.op == "Gemm":
        return _with_one(x[places][None])
    kernel, spatial = weight.shape[2:], weight.ndim - 2
    pads = zip(layer.pads[:spatial], layer.pads[spatial:], strict=True)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, layer.dilations, strict=True))
    windows = sliding_window_view(padded, reach, axis=tuple(range(2, 2 + spatial)))
    thinning: tuple[Any, ...] = (..., *(slice(None, None, d) for d in layer.dilations))
    thinned = windows[thinning]
    starts = [p * s for p, s in zip(places[1:], layer.strides, strict=True)]
    # Integer arrays on both sides of a slice put their axis first: [rows, C, *kernel].
    chosen: tuple[Any, ...] = (places[0], slice(None), *starts)
    patches = thinned[chosen]
    grouped = patches.reshape(len(patches), layer.group, -1).transpose(1, 0, 2)
    return _with_one(grouped)


def _with_one(rows: Array) -> Array:
    ones = np.ones((*rows.shape[:2], 1), dtype=np.float32)
    return np.concatenate([rows, ones], axis=2, dtype=np.float32)
