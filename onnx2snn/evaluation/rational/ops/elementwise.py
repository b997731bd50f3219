"""Sums, and products and quotients with constants."""

from __future__ import annotations

import numpy as np

from onnx2snn.evaluation.rational.exact import (
    Exact,
    fractions,
    negative,
    product,
    total,
)
from onnx2snn.evaluation.rational.operator import EXACT, Call


@EXACT.register("Add", "Sum")
def add(call: Call) -> tuple[Exact, ...] | None:
    """The sum of all inputs."""
    return (total([call.exact(i) for i in range(len(call.inputs))]),)


@EXACT.register("Sub")
def subtract(call: Call) -> tuple[Exact, ...] | None:
    """The difference."""
    return (total([call.exact(0), negative(call.exact(1))]),)


@EXACT.register("Neg")
def negate(call: Call) -> tuple[Exact, ...] | None:
    """Minus the input."""
    return (negative(call.exact(0)),)


@EXACT.register("Mul")
def multiply(call: Call) -> tuple[Exact, ...] | None:
    """A product with a constant; of two activations float32 decides."""
    if call.is_exact(0, 1):
        return None
    return (product(call.exact(0), call.exact(1)),)


@EXACT.register("Div")
def divide(call: Call) -> tuple[Exact, ...] | None:
    """A quotient by a constant."""
    divisor = call.inputs[1]
    if divisor is None or isinstance(divisor, Exact) or not divisor.all():
        return None
    value = call.exact(0)
    value = value.at_rank(max(value.rank, divisor.ndim))
    quotient = value.scaled(1 / fractions(divisor))
    error = None
    if value.error is not None:
        error = call.error(value.error.size / np.abs(divisor), value.error.roundings + 1)
    return (Exact(quotient.terms, error),)
