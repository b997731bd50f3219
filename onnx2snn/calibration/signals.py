"""Tensors in time, as a walk holds them: what is constant, and trains of spikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]


class Signal(Protocol):
    """A tensor over all samples, in time."""

    def rows(self, part: slice) -> Array:
        """[R, n, ...]: its values at every step, for some samples."""
        ...

    def mean(self, part: slice) -> Array:
        """[n, ...]: their means over the window."""
        ...


@dataclass(frozen=True)
class Constant:
    """A value that is the same at every step."""

    values: Array
    steps: int

    def rows(self, part: slice) -> Array:
        """The values, R times."""
        values = self.values[part]
        return np.broadcast_to(values, (self.steps, *values.shape))

    def mean(self, part: slice) -> Array:
        """The values."""
        return self.values[part]


@dataclass(frozen=True)
class Train:
    """Spikes of a population, and what one of them is worth.

    Attributes:
        spikes: [R, N, ...] int8; float32 spikes per step where only those are known (R = 1).
        amplitude: broadcastable against one sample.
        lower: value of silence, likewise or one number.
    """

    spikes: npt.NDArray[np.int8] | Array
    amplitude: Array
    lower: Array | float = 0.0

    def rows(self, part: slice) -> Array:
        """Spikes times amplitude, above the lower bound."""
        values: Array = self.spikes[:, part] * self.amplitude
        return values + self._silence if np.any(self.lower) else values

    def mean(self, part: slice) -> Array:
        """The same, averaged."""
        values: Array = rates(self.spikes[:, part]) * self.amplitude
        return values + self._silence if np.any(self.lower) else values

    @property
    def full(self) -> Array:
        """[1, ...]: one sample's value if all fired at every step."""
        fired = np.broadcast_to(self.amplitude, self.spikes.shape[1:])[:1]
        return fired + self._silence

    @property
    def _silence(self) -> Array:
        return np.asarray(self.lower, dtype=np.float32)


@dataclass(frozen=True)
class Graded:
    """Values that differ from step to step and are no spikes.

    Attributes:
        values: [R, N, ...].
        means: [N, ...] over the window.
    """

    values: Array
    means: Array

    def rows(self, part: slice) -> Array:
        """The values."""
        return self.values[:, part]

    def mean(self, part: slice) -> Array:
        """Their means."""
        return self.means[part]


def time_mean(rows: Array) -> Array:
    """[N, ...]: the mean of rows [R, N, ...]; a view of the only row."""
    if len(rows) == 1:
        only: Array = rows[0]
        return only
    mean: Array = rows.mean(axis=0, dtype=np.float32)
    return mean


def rates(spikes: npt.NDArray[np.int8] | Array) -> Array:
    """[N, ...]: spikes per step of [R, N, ...]."""
    if spikes.dtype != np.int8:
        return time_mean(spikes.astype(np.float32, copy=False))
    # Sums of so few rows fit into 8 bits, whose addition is the fastest.
    counts = np.zeros(spikes.shape[1:], dtype=np.float32)
    for low in range(0, len(spikes), 127):
        counts += spikes[low : low + 127].sum(axis=0, dtype=np.int8)
    return counts / np.float32(len(spikes))


#: From values [N, ...] to the spikes that enter time for them.
Encode: TypeAlias = Callable[[Array], Train]
