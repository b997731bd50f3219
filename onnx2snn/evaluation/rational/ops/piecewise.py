"""Activations of straight pieces: each element is one of a few exact values."""

from __future__ import annotations

import numpy as np

from onnx2snn.evaluation.rational.exact import (
    Array,
    Exact,
    FloatError,
    Term,
    from_float,
    negative,
    product,
    select,
    total,
)
from onnx2snn.evaluation.rational.operator import EXACT, Call


@EXACT.register("Relu")
def relu(call: Call) -> tuple[Exact, ...] | None:
    """The value, or 0."""
    value = call.exact(0)
    return (_with_error(_masked(value, value.sign() > 0), value.error),)


@EXACT.register("Clip")
def clip(call: Call) -> tuple[Exact, ...] | None:
    """The value between two constants."""
    limits = (np.asarray(call.constant(i, d)).item() for i, d in ((1, -np.inf), (2, np.inf)))
    return (_between(call.exact(0), *limits),)


@EXACT.register("HardSigmoid")
def hard_sigmoid(call: Call) -> tuple[Exact, ...] | None:
    """alpha·x + beta, between 0 and 1."""
    pairs = (("alpha", 0.2), ("beta", 0.5))
    slope, shift = (np.array([call.attribute(*pair)], dtype=np.float32) for pair in pairs)
    value = call.exact(0)
    line = total([product(_with_error(value, None), from_float(slope)), from_float(shift)])
    error = None
    if value.error is not None:
        size = value.error.size * np.abs(slope) + np.abs(shift)
        error = FloatError(size, value.error.roundings + 2)
    return (_between(_with_error(line, error), 0.0, 1.0),)


@EXACT.register("LeakyRelu")
def leaky_relu(call: Call) -> tuple[Exact, ...] | None:
    """The value, or alpha times it where it is negative."""
    slope = np.float32(call.attribute("alpha", 0.01))
    return (_sloped(call, np.asarray(slope).reshape(1)),)


@EXACT.register("PRelu")
def prelu(call: Call) -> tuple[Exact, ...] | None:
    """The value, or a constant slope times it where it is negative."""
    if call.is_exact(1):
        return None
    return (_sloped(call, np.asarray(call.inputs[1])),)


def _between(value: Exact, low: float, high: float) -> Exact:
    for limit, direction in ((low, -1), (high, 1)):
        if not np.isfinite(limit):
            continue
        bound = from_float(np.array([limit])).at_rank(value.rank)
        beyond = total([_with_error(value, None), negative(bound)]).sign() == direction
        value = _with_error(select(beyond, bound, value), value.error)
    return value


def _sloped(call: Call, slope: Array) -> Exact:
    value = call.exact(0)
    negatives = value.sign() < 0
    leaked = product(_with_error(value, None), from_float(slope))
    parts = (_masked(value, ~negatives), _masked(leaked, negatives))
    error = None
    if value.error is not None:
        factor = max(1.0, float(np.abs(slope).max(initial=0.0)))
        error = FloatError(value.error.size * factor, value.error.roundings + 1)
    return Exact(parts[0].terms + parts[1].terms, error)


def _masked(value: Exact, mask: Array) -> Exact:
    """The value where the mask is true, 0 elsewhere."""
    return Exact(tuple(Term(np.where(mask, t.integers, 0.0), t.unit) for t in value.terms))


def _with_error(value: Exact, error: FloatError | None) -> Exact:
    """The error of a value bounds that of its clipped form: clipping brings values closer."""
    return Exact(value.terms, error)
