"""Constants as integers times a scale, whatever stands between them and the layer."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from onnx2snn.exact.signal import LARGEST, NotExact
from onnx2snn.graphs import Array, constant, evaluate, input_at, producer

#: Bits of a float32 number.
FLOAT_BITS = 24
MOVES = frozenset({"Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True)
class Grid:
    """values = integers·scales, exactly.

    Attributes:
        integers: int64.
        scales: float64 of the same shape, each a positive float32 number.
    """

    integers: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float64]


def grid(tensor: gs.Tensor | None, opset: int) -> Grid | None:
    """A constant as a grid, or None if it is computed from the input."""
    if tensor is None:
        return None
    values = constant(tensor)
    if values is not None:
        return _of_floats(values) if values.dtype.kind == "f" else None
    maker = producer(tensor)
    if maker is None:
        return None
    if maker.op == "DequantizeLinear":
        return _of_quantized(maker)
    if maker.op in MOVES:
        inner = grid(maker.inputs[0], opset)
        others = [constant(t) for t in maker.inputs[1:]]
        if inner is not None and all(o is not None for o in others):
            integers = evaluate(maker.op, [inner.integers, *others], maker.attrs, opset)
            scales = evaluate(maker.op, [inner.scales, *others], maker.attrs, opset)
            return Grid(integers, scales)
    return None


def fractions(tensor: gs.Tensor | None, opset: int) -> list[Fraction] | None:
    """All values of a constant, exactly, in order; None if it is computed or not finite."""
    if tensor is None:
        return None
    values = constant(tensor)
    if values is None:
        found = grid(tensor, opset)
        if found is None:
            return None
        pairs = zip(found.integers.reshape(-1), found.scales.reshape(-1), strict=True)
        return [int(i) * Fraction(float(s)) for i, s in pairs]
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return None
    return [Fraction(float(v)) for v in values.reshape(-1)]


def rows(values: Grid, axis: int) -> tuple[npt.NDArray[np.int64], list[Fraction]]:
    """Integers and one unit for each index of ``axis``.

    Raises:
        NotExact: scales differ along another axis.
    """
    scales = np.moveaxis(values.scales, axis, 0).reshape(values.scales.shape[axis], -1)
    # Where an integer is zero its scale does not matter.
    integers = np.moveaxis(values.integers, axis, 0).reshape(scales.shape)
    alive = integers != 0
    first = np.take_along_axis(scales, alive.argmax(axis=1)[:, None], axis=1)
    if (alive & (scales != first)).any():
        raise NotExact("its weights have several scales within one output channel")
    return values.integers, [Fraction(float(s)) for s in first[:, 0]]


def _of_quantized(node: gs.Node) -> Grid | None:
    values, scale = constant(node.inputs[0]), constant(input_at(node, 1))
    zero = constant(input_at(node, 2))
    if values is None or scale is None:
        return None
    integers = values.astype(np.int64)
    if not np.isfinite(scale).all():
        return None
    scales = _spread(scale.astype(np.float64), integers, node)
    if zero is not None:
        integers = integers - _spread(zero.astype(np.int64), integers, node)
    # Units stay positive: signs, and zeros, go into the integers.
    integers = integers * np.sign(scales).astype(np.int64)
    return Grid(integers, np.where(scales == 0, 1.0, np.abs(scales)))


def _spread(parameter: Array, values: Array, node: gs.Node) -> Array:
    """A scale or zero point for each value: of the tensor, of an axis, or of blocks."""
    if parameter.size == 1:
        return np.broadcast_to(parameter.reshape(()), values.shape)
    axis = int(node.attrs.get("axis", 1)) % values.ndim
    if parameter.ndim == 1:
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        return np.broadcast_to(parameter.reshape(shape), values.shape)
    repeated = np.repeat(parameter, int(node.attrs["block_size"]), axis=axis)
    cut = [slice(None)] * values.ndim
    cut[axis] = slice(values.shape[axis])
    return repeated[tuple(cut)]


def _of_floats(values: Array) -> Grid | None:
    """Floats are integers times a power of two; with few bits that is a grid worth having."""
    exact = values.astype(np.float64)
    if not np.isfinite(exact).all():
        return None
    _, exponents = np.frexp(exact[exact != 0])
    lowest, highest = int(exponents.min(initial=0)), int(exponents.max(initial=0))
    if highest - lowest + FLOAT_BITS > LARGEST.bit_length():
        return None
    step = 2.0 ** (lowest - FLOAT_BITS)  # the last bit of the smallest value
    integers = (exact / step).astype(np.int64)
    if (integers * step != exact).any():  # a double of more bits
        return None
    common = int(np.gcd.reduce(np.abs(integers).reshape(-1))) or 1
    return Grid(integers // common, np.full(values.shape, step * common))
