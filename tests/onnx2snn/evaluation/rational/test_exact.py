"""Exact arrays against Python's own fractions, element by element."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.evaluation.rational.exact import (
    LARGEST,
    MOST_UNITS,
    Exact,
    FloatError,
    Term,
    checked,
    compact,
    fractions,
    from_digits,
    from_float,
    negative,
    product,
    scalar,
    select,
    total,
    uniform_over,
)


def numbers(value):
    """All elements as Fractions, in a list."""
    return [value.at(index) for index in np.ndindex(*value.shape)]


@st.composite
def values(draw, shape=(2, 3)):
    """An exact array of up to three terms, with units of one, of a channel, or of an element."""
    units = st.fractions(-3, 3, max_denominator=97)
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        integers = [draw(st.integers(-40, 40)) for _ in range(6)]
        width = draw(st.sampled_from([(1, 1), (1, 3), (2, 3)]))
        unit = np.empty(width, dtype=object)
        for index in np.ndindex(*width):
            unit[index] = draw(units)
        terms.append(Term(np.array(integers, dtype=np.float64).reshape(shape), unit))
    return Exact(tuple(terms))


@settings(max_examples=30)
@given(values(), values())
def test_arithmetic(a, b):
    x, y = numbers(a), numbers(b)
    assert numbers(total([a, b])) == [p + q for p, q in zip(x, y, strict=True)]
    assert numbers(product(a, b)) == [p * q for p, q in zip(x, y, strict=True)]
    assert numbers(negative(a)) == [-p for p in x]
    assert numbers(a.scaled(fractions(np.array([0.375])))) == [p * Fraction(3, 8) for p in x]


@settings(max_examples=30)
@given(values(), values(), st.lists(st.booleans(), min_size=6, max_size=6))
def test_decisions(a, b, choice):
    x, y = numbers(a), numbers(b)
    signs = total([a, negative(b)]).sign().reshape(-1)
    assert signs.tolist() == [(p > q) - (p < q) for p, q in zip(x, y, strict=True)]
    mask = np.array(choice).reshape(2, 3)
    picked = [p if c else q for p, q, c in zip(x, y, choice, strict=True)]
    assert numbers(select(mask, a, b)) == picked
    everywhere = np.nonzero(np.ones((2, 3)))
    assert a.decide(everywhere, round).tolist() == [round(p) for p in x]


@settings(max_examples=30)
@given(values())
def test_estimate(a):
    estimates, error = a.estimate()
    for got, exact in zip(estimates.reshape(-1).tolist(), numbers(a), strict=True):
        assert abs(Fraction(got) - exact) <= Fraction(error)


def test_signs_that_float64_cannot_tell():
    """(1/3)·3 − 1 is 0, and 2^-70 more is not."""
    third, tiny = Fraction(1, 3), Fraction(1, 2**70)
    terms = [
        Term(np.array([[3.0, 3.0]]), scalar(third, 2)),
        Term(-np.ones((1, 2)), scalar(Fraction(1), 2)),
    ]
    assert Exact(tuple(terms)).sign().tolist() == [[0, 0]]
    terms.append(Term(np.array([[1.0, -1.0]]), scalar(tiny, 2)))
    assert Exact(tuple(terms)).sign().tolist() == [[1, -1]]


@settings(max_examples=20)
@given(st.lists(st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=8))
def test_float_constants(given_values):
    constant = np.array(given_values, dtype=np.float32)
    wanted = [Fraction(v) for v in constant.tolist()]
    assert numbers(from_float(constant)) == wanted
    digits = from_digits(constant)
    assert numbers(digits) == wanted
    assert all(t.unit.size == 1 for t in digits.terms)
    assert all(np.abs(t.integers).max() <= 2**12 for t in digits.terms)


def test_large_constants_become_digits():
    constant = np.random.default_rng(0).normal(size=MOST_UNITS + 1).astype(np.float32)
    exact = from_float(constant)
    assert all(t.unit.size == 1 for t in exact.terms)
    assert exact.at((5,)) == Fraction(float(constant[5]))


def test_uniform_over():
    units = fractions(np.array([[0.5, 0.25, 0.5]]))
    term = Term(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), units)
    assert uniform_over(term, [0]) == [term]
    parts = uniform_over(term, [1])
    assert [p.unit.item() for p in parts] == [Fraction(1, 2), Fraction(1, 4)]
    assert [p.integers.tolist() for p in parts] == [
        [[1.0, 0.0, 3.0], [4.0, 0.0, 6.0]],
        [[0.0, 2.0, 0.0], [0.0, 5.0, 0.0]],
    ]


def test_compact():
    units = fractions(np.tile(np.array([[0.5], [0.25]]), (1, 3)))
    assert compact(units).tolist() == [[Fraction(1, 2)], [Fraction(1, 4)]]


def test_ranks():
    a = Exact((Term(np.ones((2, 3)), scalar(Fraction(2), 2)),), FloatError(np.ones((2, 3)), 1))
    lifted = a.at_rank(4)
    assert lifted.shape == (1, 1, 2, 3)
    assert lifted.error.size.shape == (1, 1, 2, 3)
    assert a.at_rank(2) is a


def test_too_large_for_float64():
    with pytest.raises(UnsupportedModelError) as error:
        checked(np.zeros(1), LARGEST)
    assert error.value.remedy
