"""Add, Sub, Mul and Div.

Two signals of different units are put on the largest unit of which both are whole multiples::

    u₁·A₁ + u₂·A₂  =  u·(m₁·A₁ + m₂·A₂),   m = uᵢ/u

Constants change units and offsets only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, inf

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.exact.kernels import operands
from onnx2snn.exact.monotone import Affine, Clipped
from onnx2snn.exact.quantizer import Quantizer, read
from onnx2snn.exact.rule import RULES, Builder, channels_of, constant_operand, only
from onnx2snn.exact.signal import (
    FLOAT_EXACT,
    LARGEST,
    NotExact,
    Signal,
    by_channel,
    common_unit,
    paired,
    refuse_beyond,
    shrunk,
)
from onnx2snn.graphs import only_consumer, rank


@RULES.register("Add", "Sub")
def add(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """A sum of two signals, or of one and a constant."""
    first, second = signals
    if first is not None and second is not None:
        rounded = _rounded_sum(build, node, first, second) if build.arithmetic == "ort" else None
        return _sum(build, node, first, second) if rounded is None else rounded
    signal, at = (first, 1) if first is not None else (second, 0)
    assert signal is not None
    values = constant_operand(node, at, build.opset, channels_of(signal))
    if node.op == "Sub":
        if at == 0:
            signal = _scaled_by(build, node, signal, (Fraction(-1),))
        else:
            values = tuple(-v for v in values)
    if not signal.is_linear:
        shifted = (*signal.functions, Affine((Fraction(1),), values))
        return replace(signal, functions=shifted, kernel=None, quantizer=None)
    offsets = shrunk([a + b for a, b in paired(signal.offsets, values)])
    return replace(signal, offsets=offsets, kernel=None, quantizer=None)


@RULES.register("Mul", "Div")
def scale(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """A constant factor for each channel."""
    first, second = signals
    if first is not None and second is not None:
        raise NotExact("it multiplies two computed tensors")
    signal, at = (first, 1) if first is not None else (second, 0)
    assert signal is not None
    factors = constant_operand(node, at, build.opset, channels_of(signal))
    if node.op == "Div":
        if at == 0 or not all(factors):
            raise NotExact("it divides by a computed tensor, or by zero")
        factors = tuple(1 / f for f in factors)
    return _scaled_by(build, node, signal, factors)


@RULES.register("Neg")
def negate(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """A factor of minus one."""
    return _scaled_by(build, node, only(signals), (Fraction(-1),))


def _scaled_by(
    build: Builder, node: gs.Node, signal: Signal, factors: tuple[Fraction, ...]
) -> Signal:
    if not signal.is_linear:
        if any(f <= 0 for f in factors):
            raise NotExact("its factor behind an activation is not positive")
        stretched = (*signal.functions, Affine(factors, (Fraction(0),)))
        return replace(signal, functions=stretched, kernel=None, quantizer=None)
    # Units stay positive: signs, and zeros, go into the integers.
    signs = [(f > 0) - (f < 0) for f in factors]
    turned = build.scaled(node, signal, signs, "signs")
    units = shrunk([u * (abs(f) or 1) for u, f in paired(signal.units, factors)])
    offsets = shrunk([o * f for o, f in paired(signal.offsets, factors)])
    unit_spikes = signal.is_population and turned.tensor is signal.tensor
    return replace(
        turned,
        units=units,
        offsets=offsets,
        is_population=unit_spikes,
        kernel=None,
        quantizer=None,
    )


def _sum(build: Builder, node: gs.Node, first: Signal, second: Signal) -> Signal:
    if not (first.is_linear and second.is_linear):
        raise NotExact("no quantizer stands between an activation and the sum")
    if rank(first.tensor) != rank(second.tensor):
        raise NotExact("its operands differ in their number of axes")
    if build.arithmetic == "float":
        return _weighted_sum(build, node, first, second)
    pairs = paired(first.units, second.units)
    units = [common_unit(a, b) for a, b in pairs]
    sign = -1 if node.op == "Sub" else 1
    left = build.scaled(node, first, _factors(units, [a for a, _ in pairs], 1), "left")
    right = build.scaled(node, second, _factors(units, [b for _, b in pairs], sign), "right")
    peak, reach = left.peak + right.peak, left.reach + right.reach
    refuse_beyond(LARGEST, reach, "a sum of differing scales")
    tensors = [left.tensor, right.tensor]
    if peak >= FLOAT_EXACT or np.int64 in {t.dtype for t in tensors}:
        names = ("left", "right")
        tensors = [build.whole(node, t, w) for t, w in zip(tensors, names, strict=True)]
    tensor = build.node("Add", node, tensors, dtype=tensors[0].dtype)
    offsets = [a + sign * b for a, b in paired(first.offsets, second.offsets)]
    return Signal(
        tensor,
        shrunk(units),
        peak=peak,
        reach=reach,
        settled=max(first.settled, second.settled),
        offsets=shrunk(offsets),
    )


def _weighted_sum(build: Builder, node: gs.Node, first: Signal, second: Signal) -> Signal:
    """The second operand in units of the first, by a factor that float32 rounds."""
    sign = -1 if node.op == "Sub" else 1
    factors = [sign * b / a for a, b in paired(first.units, second.units)]
    most = ceil(max(map(abs, factors)))
    tensor = second.tensor
    if any(f != 1 for f in factors):
        values = np.array([float(f) for f in shrunk(factors)], dtype=np.float32)
        weights = build.constant(f"{node.name}.weight", by_channel(values, rank(tensor)))
        tensor = build.node("Mul", node, [tensor, weights], suffix="weighted", shape_of=tensor)
    total = build.node("Add", node, [first.tensor, tensor])
    offsets = [a + sign * b for a, b in paired(first.offsets, second.offsets)]
    return Signal(
        total,
        first.units,
        peak=first.peak + most * second.peak,
        reach=first.reach + most * second.reach,
        settled=max(first.settled, second.settled),
        offsets=shrunk(offsets),
    )


def _rounded_sum(build: Builder, node: gs.Node, first: Signal, second: Signal) -> Signal | None:
    """Onnxruntime's QLinearAdd, where it would run: codes on both sides, a quantizer behind."""
    result = _quantizer_behind(build, node)
    one, two = first.quantizer, second.quantizer
    if node.op != "Add" or result is None or one is None or two is None:
        return None
    if not (first.is_linear and second.is_linear):
        return None
    parts = operands(one, two, result)
    if parts is None or rank(first.tensor) != rank(second.tensor):
        return None
    left = build.whole(node, first.tensor, "left")
    factor = build.constant(f"{node.name}.factor", np.array([parts.factor], dtype=np.int64))
    linear = build.node("Mul", node, [left, factor], suffix="linear", dtype=np.int64)
    rounded = build.table_synapse(node, second.tensor, parts.entries, parts.lowest)
    largest = int(np.abs(parts.entries).max())
    reach = parts.factor * first.reach + largest
    refuse_beyond(LARGEST, reach + abs(parts.kernel.start), "a sum of differing scales")
    tensor = build.node("Add", node, [linear, rounded], dtype=np.int64)
    return Signal(
        tensor,
        (parts.kernel.step,),
        peak=reach,
        reach=reach,
        settled=max(first.settled, second.settled),
        kernel=parts.kernel,
    )


def _quantizer_behind(build: Builder, node: gs.Node) -> Quantizer | None:
    """The quantizer that reads a sum, alone or behind a Relu that it repeats."""
    graph = build.emission.graph
    reader = only_consumer(graph, node.outputs[0])
    relu = reader is not None and reader.op == "Relu"
    if reader is not None and relu:
        reader = only_consumer(graph, reader.outputs[0])
    if reader is None or reader.op != "QuantizeLinear":
        return None
    found = read(reader)
    return found if not relu or found.repeats(Clipped(Fraction(0), inf)) else None


def _factors(units: list[Fraction], own: list[Fraction], sign: int) -> list[int]:
    factors = [int(o / u) * sign for o, u in zip(own, units, strict=True)]
    return factors if len(set(factors)) > 1 else factors[:1]
