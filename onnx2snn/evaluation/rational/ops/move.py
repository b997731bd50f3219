"""Operators that only move values: done to the integers and to their units alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from onnx.reference import ReferenceEvaluator

from onnx2snn.evaluation.rational.exact import Array, Exact, Term, compact, scalar
from onnx2snn.evaluation.rational.operator import EXACT, Call

#: Moves the values of an array.
Move: TypeAlias = Callable[[Array], list[Array]]


@EXACT.register(
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
def move(call: Call) -> tuple[Exact, ...] | None:
    """As the ONNX reference moves numbers."""
    return _move_all(call, _reference(call)) if call.is_exact(0) else None


@EXACT.register("Resize")
def resize(call: Call) -> tuple[Exact, ...] | None:
    """To the nearest neighbour; the reference is slow, so it moves the places of one sample."""
    if call.attribute("mode", "nearest") != "nearest" or not call.is_exact(0):
        return None
    sample = call.exact(0).shape[1:]
    places = np.arange(np.prod(sample), dtype=np.float64).reshape(1, *sample)
    (moved,) = _reference(call)(places)
    if len(moved) != 1:
        return None
    chosen = moved.reshape(-1).astype(np.int64)

    def apply(values: Array) -> list[Array]:
        flat = values.reshape(len(values), -1)
        return [flat[:, chosen].reshape(len(values), *moved.shape[1:])]

    return _move_all(call, apply)


def _reference(call: Call) -> Move:
    """The node as the ONNX reference computes it, on its first input."""
    evaluator = ReferenceEvaluator(call.node)
    rest = {
        name: value
        for name, value in zip(call.node.input[1:], call.inputs[1:], strict=True)
        if name
    }

    def apply(values: Array) -> list[Array]:
        results = evaluator.run(None, {call.node.input[0]: values, **rest})
        return [np.asarray(r) for r in results]

    return apply


def _move_all(call: Call, apply: Move) -> tuple[Exact, ...]:
    value = call.exact(0)
    moved = [_moved(term, value.shape, apply) for term in value.terms]
    outputs = []
    for i in range(len(call.node.output)):
        error = None
        if value.error is not None:
            size = apply(np.broadcast_to(value.error.size, value.shape))[i]
            error = call.error(size, value.error.roundings)
        outputs.append(Exact(tuple(parts[i] for parts in moved), error))
    return tuple(outputs)


@EXACT.register("Pad")
def pad(call: Call) -> tuple[Exact, ...] | None:
    """Padding with zeros, or with values of the image itself."""
    value = call.constant(2)
    if isinstance(value, Exact) or (value is not None and np.any(value)):
        return None
    return move(call)


@EXACT.register("Concat")
def concatenate(call: Call) -> tuple[Exact, ...] | None:
    """Side by side: the k-th terms of all inputs make the k-th term."""
    values = [call.exact(i) for i in range(len(call.inputs))]
    axis = int(call.attribute("axis", 0)) % values[0].rank
    rows = max(v.shape[0] for v in values)
    parts = [[_written_out(t, (rows, *v.shape[1:])) for t in v.terms] for v in values]
    count = max(map(len, parts))
    terms = []
    for k in range(count):
        pieces = [
            p[k] if k < len(p) else Term(np.zeros_like(p[0].integers), p[0].unit) for p in parts
        ]
        units = [np.broadcast_to(p.unit, (1, *p.integers.shape[1:])) for p in pieces]
        joined = compact(np.concatenate(units, axis=axis))
        terms.append(Term(np.concatenate([p.integers for p in pieces], axis=axis), joined))
    error = None
    if all(v.error is not None for v in values):
        sizes = [np.broadcast_to(v.error.size, (rows, *v.shape[1:])) for v in values if v.error]
        most = max(v.error.roundings for v in values if v.error)
        error = call.error(np.concatenate(sizes, axis=axis), most)
    return (Exact(tuple(terms), error),)


def _moved(term: Term, shape: tuple[int, ...], apply: Move) -> list[Term]:
    integers = apply(np.broadcast_to(term.integers, (len(term.integers), *shape[1:])))
    if term.unit.size == 1:
        unit = term.unit.item()
        return [Term(i, scalar(unit, i.ndim)) for i in integers]
    # Places instead of Fractions: ONNX operators take numbers.
    rows = term.unit.shape[0]
    where = np.arange(term.unit.size, dtype=np.float64).reshape(term.unit.shape)
    places = apply(np.ascontiguousarray(np.broadcast_to(where, (rows, *shape[1:]))))
    units = [compact(term.unit.reshape(-1)[p.astype(np.int64)]) for p in places]
    return [Term(i, u) for i, u in zip(integers, units, strict=True)]


def _written_out(term: Term, shape: tuple[int, ...]) -> Term:
    return Term(np.broadcast_to(term.integers, shape), term.unit)
