"""Straight staircases: tables whose levels a quotient gives, exactly or at most one too high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn_runtime.counts.draft import EXACT_FLOAT, Array

#: Cuts of the interval in which the step width is sought.
SEARCH = 50
#: The least width that is tried: so many levels may begin at one accumulator.
NARROWEST = 1e-6


@dataclass(frozen=True)
class Straight:
    """f(acc) − s_min = base + clip(⌊(acc − start) / width⌋, least, most), by channel, [C].

    Attributes:
        base: levels that every accumulator reaches, in every channel.
        start: the accumulator where level 0 begins.
        width: accumulators in one level.
        least: levels beyond ``base`` that every accumulator of the channel reaches.
        most: those that some accumulator reaches.
    """

    base: int
    start: Array
    width: Array
    least: Array
    most: Array


@dataclass(frozen=True)
class Line:
    """⌊(acc − start) · slope⌋, cut to [least, most]: the level of the accumulator, or one above.

    Attributes, by channel, [C]:
        start: the accumulator where level 0 begins.
        slope: levels in one accumulator.
        least: levels that every accumulator of the channel reaches.
        most: those that some accumulator reaches.
    """

    start: Array
    slope: Array
    least: Array
    most: Array


def find_line(tau: Array, largest: int, kind: type, *, above: int) -> Line | None:
    """A line along a table, if there is one; proven as straight staircases are.

    Args:
        tau: int64 [C, K], ascending.
        largest: bound of the size of the accumulators, whole numbers that ``kind`` must hold.
        kind: numpy.float32 or numpy.float64, to compute in.
        above: 0, or 1 if it may give one level too many.
    """
    if not tau.shape[1]:
        return None
    reached = [(tau <= bound).sum(axis=1) for bound in (-largest, largest)]
    level = np.arange(1, tau.shape[1] + 1, dtype=np.float64)
    inside = (level > reached[0][:, None]) & (level <= reached[1][:, None])
    places = np.where(inside, tau, 0).astype(np.float64)
    width = _width(places, inside, level)
    low, high = _gap(places, inside, level, width)
    middle: Array = (low - above * width + high) / 2
    start: Array = middle.astype(kind)
    slope: Array = (1 / width).astype(kind)

    def levels(acc: Array) -> Array:
        beyond: Array = acc.astype(kind) - start[:, None]
        return np.asarray(np.floor(beyond * slope[:, None]))

    close = (levels(places) >= level) & (levels(places - 1) < level + above)
    return Line(start, slope, *reached) if np.all(close | ~inside) else None


def straighten(
    tau: Array, largest: int, *kinds: type[np.float32] | type[np.float64]
) -> Straight | None:
    """The straight staircase of a table, if there is one; proven, not estimated.

    Difference and quotient, as the type rounds them, never fall while an accumulator grows. So it
    is enough that every entry reaches its level and that one less does not.

    Args:
        tau: int64 [C, K], ascending.
        largest: bound of the size of the accumulators.
        kinds: types to compute in; the first that is exact is taken. Whole numbers up to
            ``largest`` must fit float64.
    """
    if not tau.shape[1]:
        return None
    reached = [(tau <= bound).sum(axis=1) for bound in (-largest, largest)]
    level = np.arange(1, tau.shape[1] + 1, dtype=np.float64)
    inside = (level > reached[0][:, None]) & (level <= reached[1][:, None])
    # Entries that everything or nothing passes have no place: the line may be anywhere there.
    places = np.where(inside, tau, 0).astype(np.float64)
    base = int(reached[0].min())
    level -= base
    width = _width(places, inside, level)
    low, high = _gap(places, inside, level, width)
    least, most = (r - base for r in reached)
    for kind in kinds:
        found = Straight(base, ((low + high) / 2).astype(kind), width.astype(kind), least, most)
        fits = kind is np.float64 or largest < EXACT_FLOAT
        if fits and _holds(found, places, inside, level, kind):
            return found
    return None


def _gap(places: Array, inside: Array, level: Array, width: Array) -> tuple[Array, Array]:
    """Between which offsets a line of that width passes below each entry, above one less."""
    rest = places - width[:, None] * level
    low = np.where(inside, rest - 1, -np.inf).max(axis=1, initial=-np.inf)
    high = np.where(inside, rest, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(low), low, 0), np.where(np.isfinite(high), high, 0)


def _width(places: Array, inside: Array, level: Array) -> Array:
    """The width with the widest gap: a concave function of the width, so thirds find it.

    It lies between what the outermost entries allow.
    """
    first, last = inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    rows = np.arange(len(places))
    rise, run = places[rows, last] - places[rows, first], level[last] - level[first]
    several = run > 0
    low = np.maximum(np.where(several, rise - 1, 1) / np.maximum(run, 1), NARROWEST)
    high = np.where(several, rise + 1, 1) / np.maximum(run, 1)
    for _ in range(SEARCH):
        third = (high - low) / 3
        left, right = low + third, high - third
        gaps = [b - a for a, b in (_gap(places, inside, level, w) for w in (left, right))]
        wider = gaps[0] < gaps[1]
        low, high = np.where(wider, left, low), np.where(wider, high, right)
    return np.asarray((low + high) / 2)


def _holds(found: Straight, places: Array, inside: Array, level: Array, kind: type) -> bool:
    def levels(acc: Array) -> Array:
        above: Array = acc.astype(kind) - found.start[:, None]
        return np.asarray(np.floor(above / found.width[:, None]))

    exact = (levels(places) >= level) & (levels(places - 1) < level)
    return bool(np.all(exact | ~inside))
