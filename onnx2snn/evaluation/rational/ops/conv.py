"""Conv and ConvTranspose: integer convolutions, one for each pair of units."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from onnx2snn.evaluation.rational.exact import (
    Array,
    Exact,
    Term,
    aligned,
    checked,
    from_digits,
    largest,
    total,
    uniform_over,
    without_error,
)
from onnx2snn.evaluation.rational.operator import EXACT, Call, Held
from onnx2snn.evaluation.rational.windows import Geometry, Index, geometry

#: (image [N, C, ...], weights) to [N, M, ...], both float64.
Convolution: TypeAlias = Callable[[Array, Array], Array]


@EXACT.register("Conv")
def conv(call: Call) -> tuple[Exact, ...] | None:
    """A convolution with constant weights."""
    weights = weights_of(call.inputs[1], bounds=call.bounds)
    shape = weights.shape
    groups = int(call.attribute("group", 1))
    places = geometry(call, call.exact(0).shape[2:], shape[2:])

    def apply(image: Array, kernel: Array) -> Array:
        return convolve(image, kernel, groups, places)

    return _layer(call, weights, groups, shape[0], _per_output, apply)


@EXACT.register("ConvTranspose")
def conv_transpose(call: Call) -> tuple[Exact, ...] | None:
    """A transposed convolution with constant weights."""
    weights = weights_of(call.inputs[1], bounds=call.bounds)
    shape = weights.shape
    groups = int(call.attribute("group", 1))
    if call.attribute("output_shape") or call.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    places = geometry(call, call.exact(0).shape[2:], shape[2:])
    extra = tuple(call.attribute("output_padding", [0] * len(places.size)))

    def apply(image: Array, kernel: Array) -> Array:
        return transpose_convolve(image, kernel, groups, places, extra)

    return _layer(call, weights, groups, shape[1] * groups, _of_all, apply)


def weights_of(held: Held | None, *, bounds: bool) -> Exact:
    """Constant weights: quantized ones as they are, float ones as digits."""
    if isinstance(held, Exact):
        return held
    values = np.asarray(held)
    digits = from_digits(values)
    return Exact(digits.terms, without_error(values)) if bounds else digits


def convolve(image: Array, kernel: Array, groups: int, places: Geometry) -> Array:
    """Conv of [N, C, ...] by [M, C/groups, ...], a product of matrices for each tap."""
    samples, channels = image.shape[:2]
    outs = kernel.shape[0]
    padded = places.padded(image)
    padded = padded.reshape(samples, groups, channels // groups, *padded.shape[2:])
    rows = kernel.reshape(groups, outs // groups, channels // groups, *kernel.shape[2:])
    result = np.zeros((samples, groups, outs // groups, int(np.prod(places.out))))
    for element, window in places.taps():
        seen = padded[window].reshape(samples, groups, channels // groups, -1)
        matrix = rows[element]
        if channels == groups:  # a product of matrices of one column
            result += matrix * seen
        else:
            result += matrix @ seen
    return result.reshape(samples, outs, *places.out)


def transpose_convolve(
    image: Array, kernel: Array, groups: int, places: Geometry, extra: tuple[int, ...]
) -> Array:
    """ConvTranspose of [N, C, ...] by [C, M/groups, ...]: every tap spreads the image."""
    samples, channels = image.shape[:2]
    spatial = range(len(places.size))
    full = [
        (places.size[a] - 1) * places.strides[a]
        + (places.kernel[a] - 1) * places.dilations[a]
        + 1
        + extra[a]
        for a in spatial
    ]
    columns = kernel.shape[1]
    result = np.zeros((samples, groups, columns, *full))
    seen = image.reshape(samples, groups, channels // groups, -1)
    rows = kernel.reshape(groups, channels // groups, columns, *kernel.shape[2:])
    for offsets in np.ndindex(*places.kernel):
        element: Index = (..., *offsets)
        spread = np.swapaxes(rows[element], 1, 2) @ seen
        slices = (
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, s, n in zip(
                offsets, places.dilations, places.strides, places.size, strict=True
            )
        )
        window: Index = (..., *slices)
        result[window] += spread.reshape(samples, groups, columns, *places.size)
    kept: Index = (..., *(slice(places.begins[a], full[a] - places.ends[a]) for a in spatial))
    cut = result[kept]
    return cut.reshape(samples, groups * columns, *cut.shape[3:])


def _layer(
    call: Call,
    weights: Exact,
    groups: int,
    outs: int,
    split: Callable[[Term], list[tuple[Term, Array]]],
    apply: Convolution,
) -> tuple[Exact, ...]:
    image = call.exact(0)
    terms = []
    for term in image.terms:
        for part in _per_group(_full(term, image.shape), groups):
            for whole in weights.terms:
                for kernel, unit in split(whole):
                    integers = apply(part.integers, kernel.integers)
                    reach = largest(part.integers) * float(np.abs(kernel.integers).sum())
                    factor = _of_group(part.unit, groups, outs) * unit
                    factor = factor.reshape(*factor.shape, *((1,) * (image.rank - 2)))
                    terms.append(Term(checked(integers, reach), factor))
    error = None
    if image.error is not None and weights.error is not None:
        size = apply(np.broadcast_to(image.error.size, image.shape), weights.error.size)
        products = int(np.prod(weights.shape[1:]))
        if call.node.op_type == "ConvTranspose":
            products = weights.shape[0] // groups * int(np.prod(weights.shape[2:]))
        error = call.error(size, image.error.roundings + weights.error.roundings + products)
    result = Exact(tuple(terms), error)
    return (result if call.constant(2) is None else total([result, _bias(call, image.rank)]),)


def _bias(call: Call, rank: int) -> Exact:
    bias = call.exact(2)

    def columns(values: Array) -> Array:
        return aligned(values, 2).reshape(1, -1, *((1,) * (rank - 2)))

    terms = tuple(Term(columns(t.integers), columns(t.unit)) for t in bias.terms)
    error = None
    if bias.error is not None:
        error = call.error(columns(bias.error.size), bias.error.roundings)
    return Exact(terms, error)


def _per_output(term: Term) -> list[tuple[Term, Array]]:
    """Terms of a kernel [M, C, ...] whose units depend on M alone, and these units [1, M]."""
    return [(p, p.unit.reshape(1, -1)) for p in uniform_over(term, range(1, term.unit.ndim))]


def _of_all(term: Term) -> list[tuple[Term, Array]]:
    """Terms of a kernel of one unit each, and this unit [1, 1]."""
    return [(p, p.unit.reshape(1, 1)) for p in uniform_over(term, range(term.unit.ndim))]


def _full(term: Term, shape: tuple[int, ...]) -> Term:
    """With every place of one sample written out: padding makes them differ."""
    rows = term.integers.shape[0]
    return Term(np.broadcast_to(term.integers, (rows, *shape[1:])), term.unit)


def _per_group(term: Term, groups: int) -> list[Term]:
    """Terms whose units are one for each group of input channels, or one for all."""
    unit = term.unit
    if unit.size == unit.shape[1] > 1 and groups > 1:
        rows = unit.reshape(groups, -1)
        if (rows == rows[:, :1]).all():
            return [term]
    return uniform_over(term, range(unit.ndim))


def _of_group(unit: Array, groups: int, outs: int) -> Array:
    """The units of the groups, one for each output channel: [1, M] or [1, 1]."""
    if unit.size == 1:
        return unit.reshape(1, 1)
    return np.repeat(unit.reshape(groups, -1)[:, 0], outs // groups).reshape(1, -1)
