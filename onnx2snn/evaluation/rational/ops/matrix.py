"""Gemm and MatMul with a constant matrix."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from onnx2snn.evaluation.rational.exact import (
    Array,
    Exact,
    Term,
    checked,
    largest,
    total,
    uniform_over,
)
from onnx2snn.evaluation.rational.operator import EXACT, Call
from onnx2snn.evaluation.rational.ops.conv import weights_of


@EXACT.register("Gemm")
def gemm(call: Call) -> tuple[Exact, ...] | None:
    """alpha·A·B + beta·C."""
    if call.attribute("transA", 0):
        return None
    weights = weights_of(call.inputs[1], bounds=call.bounds)
    if call.attribute("transB", 0):
        weights = _transposed(weights)
    result = _times(_product(call, call.exact(0), weights), call.attribute("alpha", 1.0))
    if call.constant(2) is None:
        return (result,)
    return (total([result, _times(call.exact(2), call.attribute("beta", 1.0))]),)


@EXACT.register("MatMul")
def matmul(call: Call) -> tuple[Exact, ...] | None:
    """[..., K] times a constant [K, M]."""
    weights = weights_of(call.inputs[1], bounds=call.bounds)
    if weights.rank != 2 or not call.is_exact(0):
        return None
    return (_product(call, call.exact(0), weights),)


def _product(call: Call, left: Exact, right: Exact) -> Exact:
    rank = left.rank
    terms = []
    for whole in left.terms:
        for rows in uniform_over(whole, [rank - 1]):
            full = np.broadcast_to(rows.integers, (*rows.integers.shape[:-1], left.shape[-1]))
            for matrix in right.terms:
                for columns in uniform_over(matrix, [0]):
                    reach = largest(full) * float(np.abs(columns.integers).sum())
                    unit = rows.unit * columns.unit.reshape((1,) * (rank - 1) + (-1,))
                    terms.append(Term(checked(full @ columns.integers, reach), unit))
    error = None
    if left.error is not None and right.error is not None:
        size = np.broadcast_to(left.error.size, left.shape) @ right.error.size
        roundings = left.error.roundings + right.error.roundings + right.shape[0]
        error = call.error(size, roundings)
    return Exact(tuple(terms), error)


def _transposed(matrix: Exact) -> Exact:
    terms = tuple(Term(t.integers.T, t.unit.T) for t in matrix.terms)
    error = matrix.error
    return Exact(terms, error and type(error)(error.size.T, error.roundings))


def _times(value: Exact, factor: float) -> Exact:
    if factor == 1.0:
        return value
    exact = Fraction(float(np.float32(factor)))
    unit: Array = np.array([exact], dtype=object)
    error = value.error
    scaled = value.scaled(unit)
    if error is None:
        return scaled
    return Exact(scaled.terms, type(error)(error.size * abs(factor), error.roundings + 1))
