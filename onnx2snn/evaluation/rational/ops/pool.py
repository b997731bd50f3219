"""Pools: means are sums with a fraction as unit, maxima are decided exactly."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm

import numpy as np

from onnx2snn.evaluation.rational.exact import (
    Array,
    Exact,
    Term,
    checked,
    largest,
    negative,
    scalar,
    select,
    total,
    uniform_over,
)
from onnx2snn.evaluation.rational.operator import EXACT, Call
from onnx2snn.evaluation.rational.windows import Geometry, Index, geometry

#: Of a mean in float32: the quotient, or the product with a rounded 1/k.
MEAN_ROUNDINGS = 2


@EXACT.register("AveragePool")
def average_pool(call: Call) -> tuple[Exact, ...] | None:
    """Means over windows."""
    value = call.exact(0)
    places = geometry(call, value.shape[2:], tuple(call.attribute("kernel_shape")))
    counts = _counts(places, padding=bool(call.attribute("count_include_pad", 0)))
    return (_means(call, places, counts),)


@EXACT.register("GlobalAveragePool")
def global_average_pool(call: Call) -> tuple[Exact, ...] | None:
    """The mean over all places."""
    places = _whole(call.exact(0).shape[2:])
    return (_means(call, places, np.full(places.out, np.prod(places.size))),)


@EXACT.register("ReduceMean", "ReduceSum")
def reduce(call: Call) -> tuple[Exact, ...] | None:
    """Sums and means over constant axes, the batch's not among them."""
    value = call.exact(0)
    given = call.constant(1, call.attribute("axes"))
    axes = tuple(sorted({int(a) % value.rank for a in given})) if given is not None else ()
    if not axes or 0 in axes:
        return None
    keep = bool(call.attribute("keepdims", 1))
    count = int(np.prod([value.shape[a] for a in axes]))
    means = call.node.op_type == "ReduceMean"
    terms = []
    for whole in value.terms:
        for term in uniform_over(whole, axes):
            full = np.broadcast_to(term.integers, (len(term.integers), *value.shape[1:]))
            sums = checked(full.sum(axis=axes, keepdims=keep), largest(full) * count)
            unit = term.unit if keep else term.unit.squeeze(axes)
            terms.append(Term(sums, unit * Fraction(1, count) if means else unit))
    error = None
    if value.error is not None:
        size = np.broadcast_to(value.error.size, value.shape).sum(axis=axes, keepdims=keep)
        roundings = value.error.roundings + count + MEAN_ROUNDINGS
        error = call.error(size / (count if means else 1), roundings)
    return (Exact(tuple(terms), error),)


@EXACT.register("MaxPool")
def max_pool(call: Call) -> tuple[Exact, ...] | None:
    """Maxima over windows; padding never wins."""
    if len(call.node.output) > 1:
        return None
    value = call.exact(0)
    return (_maxima(call, geometry(call, value.shape[2:], tuple(call.attribute("kernel_shape")))),)


@EXACT.register("GlobalMaxPool")
def global_max_pool(call: Call) -> tuple[Exact, ...] | None:
    """The maximum over all places."""
    return (_maxima(call, _whole(call.exact(0).shape[2:])),)


def _whole(size: tuple[int, ...]) -> Geometry:
    none, one = (0,) * len(size), (1,) * len(size)
    return Geometry(size, size, one, one, none, none, ceil=False)


def _counts(places: Geometry, *, padding: bool) -> Array:
    """How many places each window averages; what ceil_mode adds behind never counts."""
    counted = places.padded(np.zeros(places.size))
    if padding:
        axes = zip(places.begins, places.size, places.ends, strict=True)
        counted[tuple(slice(0, b + n + e) for b, n, e in axes)] = 1
    else:
        counted += places.padded(np.ones(places.size))
    counts = np.zeros(places.out)
    for _, window in places.taps():
        counts += counted[window]
    return counts


def _means(call: Call, places: Geometry, counts: Array) -> Exact:
    value = call.exact(0)
    common = lcm(*(int(c) for c in np.unique(counts)))
    shares = common / counts  # whole, so that one unit serves all windows
    spatial = range(2, value.rank)
    terms = []
    for whole in value.terms:
        for term in uniform_over(whole, spatial):
            full = np.broadcast_to(term.integers, (len(term.integers), *value.shape[1:]))
            sums = _sums(full, places) * shares
            reach = largest(full) * float(counts.max()) * common
            terms.append(Term(checked(sums, reach), term.unit * Fraction(1, common)))
    error = None
    if value.error is not None:
        size = _sums(np.broadcast_to(value.error.size, value.shape), places) / counts
        roundings = value.error.roundings + int(counts.max()) + MEAN_ROUNDINGS
        error = call.error(size, roundings)
    return Exact(tuple(terms), error)


def _sums(image: Array, places: Geometry) -> Array:
    padded = places.padded(image)
    sums = np.zeros((*image.shape[:2], *places.out))
    for _, window in places.taps():
        sums += padded[window]
    return sums


def _maxima(call: Call, places: Geometry) -> Exact:
    value = call.exact(0)
    best: Exact | None = None
    found: Array = np.zeros(places.out, dtype=bool)
    for seen, inside in _windows(value, places):
        if best is None:
            best, found = seen, inside
            continue
        larger = total([seen, negative(best)]).sign() > 0
        best = select(inside & (larger | ~found), seen, best)
        found = found | inside
    assert best is not None  # a kernel has at least one place
    error = None
    if value.error is not None:
        sizes = places.padded(np.broadcast_to(value.error.size, value.shape))
        taps = [sizes[window] for _, window in places.taps()]
        error = call.error(np.maximum.reduce(taps), value.error.roundings)
    return Exact(best.terms, error)


def _windows(value: Exact, places: Geometry) -> Iterator[tuple[Exact, Array]]:
    """What each element of the kernel sees, and where that is no padding."""
    terms = []
    for term in value.terms:
        full = np.broadcast_to(term.integers, (len(term.integers), *value.shape[1:]))
        unit = term.unit
        if unit.size > 1 and unit.shape[2:] != (1,) * (value.rank - 2):
            unit = _padded_unit(np.broadcast_to(unit, (1, *value.shape[1:])), places)
        terms.append((places.padded(full), unit))
    inside = places.padded(np.ones(places.size)) > 0
    for _, window in places.taps():
        parts = tuple(
            Term(
                integers[window],
                unit if unit.shape[2:] == (1,) * (value.rank - 2) else unit[window],
            )
            for integers, unit in terms
        )
        yield Exact(parts), inside[window]


def _padded_unit(unit: Array, places: Geometry) -> Array:
    one = scalar(Fraction(1), 1)[0]
    whole = np.full(places.padded(np.ones(unit.shape)).shape, one, dtype=object)
    image = (slice(b, b + n) for b, n in zip(places.begins, places.size, strict=True))
    window: Index = (..., *image)
    whole[window] = unit
    return whole
