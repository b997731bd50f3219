"""Activations between a layer and its quantizer, read backwards.

Whether g(z) reaches a value v is the same as whether z reaches g⁻¹(v). A bound is a value and
whether it must be exceeded (z > v) or only reached (z ≥ v).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite
from typing import Protocol

Real = Fraction | float  # a float only for the infinities


@dataclass(frozen=True)
class Bound:
    """z ≥ value, or z > value where strict; −inf: always, inf: never."""

    value: Real
    strict: bool = False


ALWAYS = Bound(-inf)
NEVER = Bound(inf)


class Monotone(Protocol):
    """A function that never falls, for each channel."""

    @property
    def channels(self) -> int:
        """How many channels it tells apart; 1 for none."""
        ...

    @property
    def keeps_zero(self) -> bool:
        """Whether zero stays zero in every channel."""
        ...

    def invert(self, bound: Bound, channel: int) -> Bound:
        """The bound on the input that is equivalent to one on the output."""
        ...


@dataclass(frozen=True)
class Clipped:
    """min(max(z, lower), upper)."""

    lower: Real
    upper: Real

    @property
    def channels(self) -> int:
        """All channels alike."""
        return 1

    @property
    def keeps_zero(self) -> bool:
        """Where zero is between the ends."""
        return bool(self.lower <= 0 <= self.upper)

    def invert(self, bound: Bound, channel: int) -> Bound:
        """Beyond the ends everything or nothing reaches a value; the upper end wins."""
        if bound.value > self.upper or (bound.value == self.upper and bound.strict):
            return NEVER
        if bound.value < self.lower or (bound.value == self.lower and not bound.strict):
            return ALWAYS
        return bound


@dataclass(frozen=True)
class ClippedByChannel:
    """min(max(z, lower), upper) with ends for each channel."""

    ends: tuple[Clipped, ...]

    @property
    def channels(self) -> int:
        """One pair for each."""
        return len(self.ends)

    @property
    def keeps_zero(self) -> bool:
        """Where every channel does."""
        return all(e.keeps_zero for e in self.ends)

    def invert(self, bound: Bound, channel: int) -> Bound:
        """As the channel's own clip."""
        return self.ends[channel].invert(bound, channel)


@dataclass(frozen=True)
class Leaky:
    """z where z ≥ 0, else slope·z; slopes are not negative."""

    slopes: tuple[Fraction, ...]

    @property
    def channels(self) -> int:
        """One slope for each."""
        return len(self.slopes)

    @property
    def keeps_zero(self) -> bool:
        """Always."""
        return True

    def invert(self, bound: Bound, channel: int) -> Bound:
        """Below zero the value is stretched."""
        slope = self.slopes[channel if len(self.slopes) > 1 else 0]
        if bound.value == -inf or bound.value > 0 or (bound.value == 0 and bound.strict):
            return bound
        if slope == 0:
            return ALWAYS
        return Bound(Fraction(bound.value) / slope, bound.strict)


@dataclass(frozen=True)
class Affine:
    """scale·z + shift with a positive scale."""

    scales: tuple[Fraction, ...]
    shifts: tuple[Fraction, ...]

    @property
    def channels(self) -> int:
        """One pair for each."""
        return max(len(self.scales), len(self.shifts))

    @property
    def keeps_zero(self) -> bool:
        """Without a shift."""
        return not any(self.shifts)

    def invert(self, bound: Bound, channel: int) -> Bound:
        """The line backwards."""
        if not isfinite(bound.value):
            return bound
        scale = self.scales[channel if len(self.scales) > 1 else 0]
        shift = self.shifts[channel if len(self.shifts) > 1 else 0]
        return Bound((Fraction(bound.value) - shift) / scale, bound.strict)
