"""Conv, ConvTranspose, Gemm and MatMul: integer weights, no bias; the unit changes.

With x = u·A and weights w = s·W (integers W, scale s of the output channel)::

    Σ w·x + b  =  (u·s)·Σ W·A + b
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from onnx2snn.exact.integers import Grid, fractions, grid, rows
from onnx2snn.exact.kernels import Requantized
from onnx2snn.exact.rule import RULES, Builder
from onnx2snn.exact.signal import (
    FLOAT_EXACT,
    LARGEST,
    NotExact,
    Signal,
    common_unit,
    per_channel,
    refuse_beyond,
    shrunk,
)
from onnx2snn.graphs import Array, constant, input_at, producer, rank

Integers = npt.NDArray[np.int64]
#: How far the scale of a bias may be from the product of the other two, relatively.
BIAS_TOLERANCE = 1e-5


@RULES.register("Conv", "ConvTranspose", "Gemm", "MatMul")
def layer(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """A layer with constant weights."""
    signal = _input(signals)
    weights = grid(input_at(node, 1), build.opset)
    if weights is None:
        raise NotExact("its weights are computed from the input")
    if node.op == "Gemm" and node.attrs.get("transA", 0):
        raise NotExact("it transposes its input")
    if node.op == "MatMul":
        _check_matrix(node, weights, signal)
    integers, scales = rows(weights, _output_axis(node, weights))
    integers, units = _on_one_unit(build, node, integers, signal)
    groups = int(node.attrs.get("group", 1))
    if node.op == "ConvTranspose":
        scales = scales * groups
    alpha = Fraction(float(node.attrs.get("alpha", 1.0))) if node.op == "Gemm" else Fraction(1)
    sums = _absolute_sums(node, integers)
    if constant(node.inputs[1]) is not None and sums * signal.peak >= FLOAT_EXACT:
        raise NotExact("its weights are not quantized")
    refuse_beyond(FLOAT_EXACT, sums * signal.peak, "a sum")
    refuse_beyond(LARGEST, sums * signal.reach, "a sum over time")
    if alpha <= 0:
        raise NotExact("its factor alpha is not positive")
    channels = len(scales)
    out_units = [
        s * u * alpha for s, u in zip(scales, _per_output(units, channels, groups), strict=True)
    ]
    flat = rank(node.outputs[0])
    if node.op == "MatMul" and flat != 2 and len(set(out_units)) > 1:
        raise NotExact("its output channels are not axis 1")
    tensor = build.node(
        node.op,
        node,
        [signal.tensor, build.constant(f"{node.name}.integers", integers.astype(np.float32))],
        {k: v for k, v in node.attrs.items() if k not in {"alpha", "beta"}},
    )
    return Signal(
        tensor,
        shrunk(out_units),
        peak=sums * signal.peak,
        reach=sums * signal.reach,
        settled=signal.settled,
        offsets=_bias(build, node, channels),
        kernel=_kernel(build, node, signal, scales),
    )


def _kernel(
    build: Builder, node: gs.Node, signal: Signal, scales: list[Fraction]
) -> Requantized | None:
    """QLinearConv and its like take codes of one scale and an int32 bias."""
    if signal.quantizer is None or signal.quantizer.channels > 1 or node.op == "ConvTranspose":
        return None
    if any(node.attrs.get(factor, 1.0) != 1.0 for factor in ("alpha", "beta")):
        return None
    own = np.float32(float(signal.quantizer.scales[0]))
    products = tuple(own * np.float32(float(s)) for s in scales)
    bias = input_at(node, 2)
    biases: tuple[int, ...] = (0,)
    if bias is not None:
        maker, values = producer(bias), grid(bias, build.opset)
        if maker is None or maker.op != "DequantizeLinear" or values is None:
            return None
        biases = tuple(map(int, values.integers.reshape(-1)))
        if not _of_accumulator(values, products):
            return None
    return Requantized(products, biases)


def _of_accumulator(bias: Grid, products: tuple[np.float32, ...]) -> bool:
    """Whether a bias counts in units of the accumulator, up to a rounding."""
    own = bias.scales.reshape(-1)
    wanted = np.array(products, dtype=np.float64)
    return bool(np.allclose(own, wanted, rtol=BIAS_TOLERANCE, atol=0.0))


def _input(signals: Sequence[Signal | None]) -> Signal:
    signal = signals[0]
    if signal is None:
        raise NotExact("its weights stand on the left")
    if any(s is not None for s in signals[1:]):
        raise NotExact("its weights are computed from the input")
    if not signal.is_linear:
        raise NotExact("no quantizer stands behind the activation in front of it")
    if not signal.is_centred:
        raise NotExact("a constant is added in front of it")
    if signal.tensor.dtype != np.float32:
        raise NotExact("a sum of differing scales stands in front of it, without a quantizer")
    return signal


def _check_matrix(node: gs.Node, weights: Grid, signal: Signal) -> None:
    """A MatMul sums the last axis; channels are axis 1, samples axis 0."""
    ndim, stack = rank(node.inputs[0]), weights.integers.shape[:-2]
    if ndim is None or len(stack) + 2 > ndim or (len(stack) + 2 == ndim and stack[:1] > (1,)):
        raise NotExact("its weights have one matrix for each sample")
    if ndim != 2 and len(signal.units) > 1:
        raise NotExact("its inputs have several scales that are not along the summed axis")


def _output_axis(node: gs.Node, weights: Grid) -> int:
    if node.op == "Conv":
        return 0
    if node.op == "ConvTranspose":
        return 1
    if node.op == "MatMul":
        return weights.integers.ndim - 1
    return 0 if node.attrs.get("transB", 0) else 1


def _input_axis(node: gs.Node, integers: Integers) -> int:
    if node.op == "MatMul":
        return max(integers.ndim - 2, 0)
    return {"Conv": 1, "ConvTranspose": 0}.get(node.op, 1 if node.attrs.get("transB", 0) else 0)


def _on_one_unit(
    build: Builder, node: gs.Node, integers: Integers, signal: Signal
) -> tuple[Array, list[Fraction]]:
    """Weights for inputs of one unit in each group, and these units."""
    if len(signal.units) == 1:
        return integers, [signal.units[0]]
    groups = int(node.attrs.get("group", 1))
    axis = _input_axis(node, integers)
    per_group = [list(g) for g in np.array_split(np.array(signal.units, dtype=object), groups)]
    exact = build.arithmetic != "float"
    kind: type = np.int64 if exact else np.float64
    units = [common_unit(*g) if exact else g[0] for g in per_group]
    factors = [[kind(v / u) for v in g] for g, u in zip(per_group, units, strict=True)]
    if all(f == 1 for g in factors for f in g):
        return integers, units
    if node.op == "Conv":
        count = integers.shape[0] // groups
        by_output: Array = np.repeat(np.array(factors, dtype=kind), count, axis=0)
        shape = (*by_output.shape, *([1] * (integers.ndim - 2)))
        return integers * by_output.reshape(shape), units
    flat: Array = np.array([f for g in factors for f in g], dtype=kind)
    if flat.size != integers.shape[axis]:
        raise NotExact("its inputs have several scales that are not along the summed axis")
    along = [-1 if i == axis else 1 for i in range(integers.ndim)]
    return integers * flat.reshape(along), units


def _per_output(units: list[Fraction], channels: int, groups: int) -> list[Fraction]:
    if len(units) == 1:
        return units * channels
    return [u for u in units for _ in range(channels // groups)]


def _absolute_sums(node: gs.Node, integers: Array) -> int:
    """The largest sum of magnitudes of one output's weights."""
    sizes = np.abs(integers)
    axes: tuple[int, ...]
    if node.op == "ConvTranspose":  # no output sees more than every weight of its channel
        axes = tuple(i for i in range(sizes.ndim) if i != 1)
    elif node.op == "Conv":
        axes = tuple(range(1, sizes.ndim))
    else:
        axes = (_input_axis(node, integers),)
    return max(1, ceil(float(sizes.sum(axis=axes).max(initial=0))))


def _bias(build: Builder, node: gs.Node, channels: int) -> tuple[Fraction, ...]:
    tensor = None if node.op == "MatMul" else input_at(node, 2)
    if tensor is None:
        return (Fraction(0),)
    bias = fractions(tensor, build.opset)
    if bias is None:
        raise NotExact("its bias is computed from the input, or is not finite")
    if len(bias) not in {1, channels}:
        raise NotExact("its bias has one row for each sample")
    beta = Fraction(float(node.attrs.get("beta", 1.0))) if node.op == "Gemm" else Fraction(1)
    return shrunk(per_channel([b * beta for b in bias], channels))
