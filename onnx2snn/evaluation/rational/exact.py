"""Arrays of exact rational numbers, as sums of integer arrays times exact units.

::

    value[i] = Σ_k unit_k[i]·integers_k[i]

A quantized tensor is one term whose unit is its scale; a sum of two has two terms; a convolution
multiplies the units. Integers are float64, below 2^53, so that products of matrices run at the
machine's speed and stay exact; units are :class:`fractions.Fraction`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.errors import UnsupportedModelError

Array: TypeAlias = npt.NDArray[Any]

#: Integers beyond it are no longer exact in float64.
LARGEST = 2.0**53
#: Constants of at most so many elements get a unit for each element, larger ones digits.
MOST_UNITS = 4096
#: Bits of one digit of a large float constant; its products with 8-bit integers stay small.
DIGIT_BITS = 12
#: Relative error of one term's estimate: its unit, the product and the sum are rounded.
TERM_ERROR = 2.0**-50


@dataclass(frozen=True)
class Term:
    """Integers and what one of them is worth.

    Attributes:
        integers: float64, whole numbers.
        unit: Fractions (dtype object), of the same rank; broadcasts against the integers.
    """

    integers: Array
    unit: Array


@dataclass(frozen=True)
class FloatError:
    """How far float32 arithmetic, in whatever order, may be from the exact value.

    The error is at most γ_n·size with n = roundings, γ_n = n·u / (1 − n·u), u = 2^-24 (Higham,
    Accuracy and Stability of Numerical Algorithms, section 3.1).

    Attributes:
        size: float64, Σ|w·x| + |b|, shaped as the value.
        roundings: most roundings that one product has been through.
    """

    size: Array
    roundings: int


@dataclass(frozen=True)
class Exact:
    """An array of exact numbers.

    Attributes:
        terms: at least one.
        error: what float32 arithmetic would make of it, where that is asked for.
    """

    terms: tuple[Term, ...]
    error: FloatError | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole."""
        shapes = [a.shape for t in self.terms for a in (t.integers, t.unit)]
        return np.broadcast_shapes(*shapes)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def estimate(self) -> tuple[Array, float]:
        """The values in float64, and a bound of the largest error."""
        parts = [(as_float(t.unit), t.integers) for t in self.terms]
        total = reduce(np.add, (unit * integers for unit, integers in parts))
        reach = sum(largest(unit) * largest(integers) for unit, integers in parts)
        return np.broadcast_to(total, self.shape), TERM_ERROR * (len(parts) + 1) * reach

    def decide(self, places: tuple[Array, ...], decision: Callable[[Fraction], int]) -> Array:
        """A whole number for the exact value at each place, as ``np.nonzero`` gives them.

        Equal values are decided once.
        """
        columns = [np.broadcast_to(t.integers, self.shape)[places] for t in self.terms]
        for term in self.terms:
            which = np.arange(term.unit.size).reshape(term.unit.shape)
            columns.append(np.broadcast_to(which, self.shape)[places].astype(np.float64))
        keys, inverse = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        units = [t.unit.reshape(-1) for t in self.terms]
        count = len(units)
        decided = [
            decision(sum(u[int(row[count + k])] * int(row[k]) for k, u in enumerate(units)))
            for row in keys
        ]
        return np.asarray(decided, dtype=np.int64)[inverse.reshape(-1)]

    def at(self, index: tuple[int, ...]) -> Fraction:
        """The exact value of one element."""
        total = Fraction(0)
        for term in self.terms:
            unit = np.broadcast_to(term.unit, self.shape)[index]
            total += unit * int(np.broadcast_to(term.integers, self.shape)[index])
        return total

    def sign(self) -> Array:
        """-1, 0 or 1 for each element, exactly."""
        if len(self.terms) == 1:
            (term,) = self.terms
            return np.broadcast_to(
                np.sign(term.integers) * np.sign(as_float(term.unit)), self.shape
            )
        values, error = self.estimate()
        signs = np.sign(values)
        close = np.nonzero(np.abs(values) <= error)
        if close[0].size:
            signs[close] = self.decide(close, lambda v: (v > 0) - (v < 0))
        return signs

    def scaled(self, factor: Array) -> Exact:
        """Times Fractions of at most the value's rank; the float error is left out."""
        factor = aligned(factor, self.rank)
        return Exact(tuple(Term(t.integers, t.unit * factor) for t in self.terms))

    def at_rank(self, rank: int) -> Exact:
        """With leading axes of length 1."""
        if rank == self.rank:
            return self
        terms = tuple(Term(aligned(t.integers, rank), aligned(t.unit, rank)) for t in self.terms)
        error = self.error and FloatError(aligned(self.error.size, rank), self.error.roundings)
        return Exact(terms, error)


def aligned(array: Array, rank: int) -> Array:
    """The array with leading axes of length 1."""
    array = np.asarray(array)  # what NumPy computes with one number is no array any more
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def fractions(values: Array) -> Array:
    """The numbers of a float or integer array, exactly."""
    exact = np.empty(values.size, dtype=object)
    for i, value in enumerate(values.reshape(-1).tolist()):
        exact[i] = Fraction(value)
    return exact.reshape(values.shape)


def as_float(unit: Array) -> Array:
    """Fractions in float64, rounded once."""
    return np.array([float(u) for u in unit.reshape(-1)]).reshape(unit.shape)


def scalar(value: Fraction, rank: int) -> Array:
    """One Fraction as a unit."""
    return np.array([value], dtype=object).reshape((1,) * rank)


def from_float(values: Array) -> Exact:
    """A float constant: a unit for each element, or digits where it is large."""
    if values.size > MOST_UNITS:
        return from_digits(values)
    return Exact((Term(np.ones(values.shape), fractions(values)),))


def from_digits(values: Array) -> Exact:
    """A float constant as terms of one unit each: powers of two times short integers."""
    rest = values.astype(np.float64)
    terms = []
    while rest.any():
        top = int(np.frexp(np.abs(rest).max())[1])
        step = 2.0 ** (top - DIGIT_BITS)
        digits = np.rint(rest / step)
        terms.append(Term(digits, scalar(Fraction(step), values.ndim)))
        rest -= digits * step  # exact: what is left has the low bits only
    return Exact(tuple(terms) or (Term(rest, scalar(Fraction(1), values.ndim)),))


def checked(integers: Array, reach: float) -> Array:
    """The integers, whose size is at most ``reach`` on the way to them.

    Raises:
        UnsupportedModelError: float64 may have rounded them.
    """
    if reach >= LARGEST:
        raise UnsupportedModelError(
            "holds integers beyond 2^53, which the exact evaluation cannot carry",
            remedy="quantize weights and activations to fewer bits",
        )
    return integers


def uniform_over(term: Term, axes: Sequence[int]) -> list[Term]:
    """The term as terms whose units do not change along the given axes."""
    if all(term.unit.shape[a] == 1 for a in axes):
        return [term]
    rank = term.unit.ndim
    return [
        Term(np.where((term.unit == unit).astype(bool), term.integers, 0.0), scalar(unit, rank))
        for unit in dict.fromkeys(term.unit.reshape(-1).tolist())
    ]


def compact(unit: Array) -> Array:
    """The unit without axes along which it does not change."""
    for axis in range(unit.ndim):
        first = unit.take([0], axis=axis)
        if (unit == first).all():
            unit = first
    return unit


def select(mask: Array, chosen: Exact, other: Exact) -> Exact:
    """``chosen`` where the mask is true, ``other`` elsewhere; without their float errors."""
    if len(chosen.terms) == len(other.terms) and all(
        _same(a.unit, b.unit) for a, b in zip(chosen.terms, other.terms, strict=True)
    ):
        pairs = zip(chosen.terms, other.terms, strict=True)
        return Exact(tuple(Term(np.where(mask, a.integers, b.integers), a.unit) for a, b in pairs))
    kept = [Term(np.where(mask, t.integers, 0.0), t.unit) for t in chosen.terms]
    rest = [Term(np.where(mask, 0.0, t.integers), t.unit) for t in other.terms]
    return Exact((*kept, *rest))


def total(values: Sequence[Exact]) -> Exact:
    """The sum; float32 adds with one rounding each."""
    rank = max(v.rank for v in values)
    lifted = [v.at_rank(rank) for v in values]
    errors = [v.error for v in lifted]
    error = None
    if all(e is not None for e in errors):
        size = reduce(np.add, (e.size for e in errors if e is not None))
        most = max(e.roundings for e in errors if e is not None)
        error = FloatError(size, most + len(values) - 1)
    return Exact(tuple(t for v in lifted for t in v.terms), error)


def negative(value: Exact) -> Exact:
    """Minus the value."""
    return Exact(tuple(Term(-t.integers, t.unit) for t in value.terms), value.error)


def product(a: Exact, b: Exact) -> Exact:
    """The product, term by term; float32 rounds it once."""
    rank = max(a.rank, b.rank)
    a, b = a.at_rank(rank), b.at_rank(rank)
    terms = [
        Term(
            checked(x.integers * y.integers, largest(x.integers) * largest(y.integers)),
            x.unit * y.unit,
        )
        for x in a.terms
        for y in b.terms
    ]
    error = None
    if a.error is not None and b.error is not None:
        roundings = a.error.roundings + b.error.roundings + 1
        error = FloatError(a.error.size * b.error.size, roundings)
    return Exact(tuple(terms), error)


def without_error(values: Array) -> FloatError:
    """Of numbers that float32 holds exactly."""
    return FloatError(np.abs(values).astype(np.float64), 0)


def largest(values: Array) -> float:
    """The largest size of an element."""
    return float(np.abs(values).max(initial=0.0))


def _same(a: Array, b: Array) -> bool:
    return a is b or (a.shape == b.shape and bool((a == b).all()))
