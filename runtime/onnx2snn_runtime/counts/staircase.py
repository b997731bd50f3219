"""Straight staircases: tables whose levels a quotient gives, exactly or at most one too high."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class _Entries:
    """Where the levels of a table begin.

    Attributes, [C, K]:
        after: the least accumulator of the level.
        before: the largest one below it.
        inside: whether some accumulator reaches the level and some does not. Elsewhere a line may
            be anywhere.
        level: 1 to K.
        reached: levels that every accumulator of the channel reaches, and that some do, [C] each.
    """

    after: Array
    before: Array
    inside: Array
    level: Array
    reached: tuple[Array, Array]


def find_line(
    tau: Array, largest: int, kind: type, *, above: int, sums: Array | None = None
) -> Line | None:
    """A line along a table, if there is one; proven as straight staircases are.

    Args:
        tau: int64 [C, K], ascending.
        largest: bound of the size of the accumulators, whole numbers that ``kind`` must hold.
        kind: numpy.float32 or numpy.float64, to compute in.
        above: 0, or 1 if it may give one level too many.
        sums: the only accumulators that can be, int64, ascending; by default all up to ``largest``.
    """
    if not tau.shape[1]:
        return None
    entries = _entries(tau, largest) if sums is None else _entries_among(tau, sums)
    width = _width(entries)
    low, high = _gap(entries, width)
    middle: Array = (low - above * width + high) / 2
    start: Array = middle.astype(kind)
    slope: Array = (1 / width).astype(kind)

    def levels(acc: Array) -> Array:
        beyond: Array = acc.astype(kind) - start[:, None]
        return np.asarray(np.floor(beyond * slope[:, None]))

    level = entries.level
    close = (levels(entries.after) >= level) & (levels(entries.before) < level + above)
    return Line(start, slope, *entries.reached) if np.all(close | ~entries.inside) else None


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
    entries = _entries(tau, largest)
    base = int(entries.reached[0].min())
    entries = replace(entries, level=entries.level - base)
    width = _width(entries)
    low, high = _gap(entries, width)
    least, most = (r - base for r in entries.reached)
    for kind in kinds:
        found = Straight(base, ((low + high) / 2).astype(kind), width.astype(kind), least, most)
        fits = kind is np.float64 or largest < EXACT_FLOAT
        if fits and _holds(found, entries, kind):
            return found
    return None


def _entries(tau: Array, largest: int) -> _Entries:
    """The levels of all whole numbers up to a size."""
    reached = tuple((tau <= bound).sum(axis=1) for bound in (-largest, largest))
    return _placed(tau, tau - 1, (reached[0], reached[1]))


def _entries_among(tau: Array, sums: Array) -> _Entries:
    """The levels of these accumulators."""
    place = np.searchsorted(sums, tau)
    after, before = sums[np.minimum(place, len(sums) - 1)], sums[np.maximum(place - 1, 0)]
    reached = ((place == 0).sum(axis=1), (place < len(sums)).sum(axis=1))
    return _placed(after, before, reached)


def _placed(after: Array, before: Array, reached: tuple[Array, Array]) -> _Entries:
    level = np.arange(1, after.shape[1] + 1, dtype=np.float64)
    inside = (level > reached[0][:, None]) & (level <= reached[1][:, None])
    places = [np.where(inside, side, 0).astype(np.float64) for side in (after, before)]
    return _Entries(places[0], places[1], inside, level, reached)


def _gap(entries: _Entries, width: Array) -> tuple[Array, Array]:
    """Between which offsets a line of that width passes below each entry, above what is before."""
    there = width[:, None] * entries.level
    low = np.where(entries.inside, entries.before - there, -np.inf).max(axis=1, initial=-np.inf)
    high = np.where(entries.inside, entries.after - there, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(low), low, 0), np.where(np.isfinite(high), high, 0)


def _width(entries: _Entries) -> Array:
    """The width with the widest gap: a concave function of the width, so thirds find it.

    It lies between what the outermost entries allow.
    """
    inside, level = entries.inside, entries.level
    first, last = inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    rows, run = np.arange(len(inside)), level[last] - level[first]
    least = entries.before[rows, last] - entries.after[rows, first]
    most = entries.after[rows, last] - entries.before[rows, first]
    several = run > 0
    low = np.maximum(np.where(several, least, 1) / np.maximum(run, 1), NARROWEST)
    high = np.where(several, most, 1) / np.maximum(run, 1)
    for _ in range(SEARCH):
        third = (high - low) / 3
        left, right = low + third, high - third
        gaps = [b - a for a, b in (_gap(entries, w) for w in (left, right))]
        wider = gaps[0] < gaps[1]
        low, high = np.where(wider, left, low), np.where(wider, high, right)
    return np.asarray((low + high) / 2)


def _holds(found: Straight, entries: _Entries, kind: type) -> bool:
    def levels(acc: Array) -> Array:
        above: Array = acc.astype(kind) - found.start[:, None]
        return np.asarray(np.floor(above / found.width[:, None]))

    level = entries.level
    exact = (levels(entries.after) >= level) & (levels(entries.before) < level)
    return bool(np.all(exact | ~entries.inside))
