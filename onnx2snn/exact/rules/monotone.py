"""Activations in front of a quantizer: they become part of its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf

import onnx_graphsurgeon as gs

from onnx2snn.exact.integers import fractions
from onnx2snn.exact.monotone import (
    Affine,
    Clipped,
    ClippedByChannel,
    Leaky,
    Monotone,
    Real,
)
from onnx2snn.exact.rule import RULES, Builder, channels_of, constant_operand, only
from onnx2snn.exact.signal import NotExact, Signal
from onnx2snn.graphs import input_at


@RULES.register("Relu", "Clip", "LeakyRelu", "PRelu", "HardSigmoid")
def monotone(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """One more function on the value."""
    signal = only(signals)
    added = _functions(build, node, signal)
    return replace(signal, functions=(*signal.functions, *added), is_population=False)


@RULES.register("Max", "Min")
def extremum(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """A clip at one end, which may differ by channel."""
    computed = [i for i, s in enumerate(signals) if s is not None]
    if len(signals) != 2 or len(computed) != 1:
        raise NotExact("it compares two computed tensors, or more than two")
    (at,) = computed
    signal = signals[at]
    assert signal is not None
    values = constant_operand(node, 1 - at, build.opset, channels_of(signal))
    ends = tuple(Clipped(v, inf) if node.op == "Max" else Clipped(-inf, v) for v in values)
    added = ends[0] if len(ends) == 1 else ClippedByChannel(ends)
    return replace(signal, functions=(*signal.functions, added), is_population=False)


def _functions(build: Builder, node: gs.Node, signal: Signal) -> tuple[Monotone, ...]:
    zero = Fraction(0)
    if node.op == "Relu":
        return (Clipped(zero, inf),)
    if node.op == "Clip":
        return (Clipped(_limit(build, node, 1, -inf), _limit(build, node, 2, inf)),)
    if node.op == "HardSigmoid":
        slope = Fraction(float(node.attrs.get("alpha", 0.2)))
        shift = Fraction(float(node.attrs.get("beta", 0.5)))
        _refuse_falling((slope,))
        if slope == 0:
            value = min(max(shift, zero), Fraction(1))
            return (Clipped(value, value),)
        return Affine((slope,), (shift,)), Clipped(zero, Fraction(1))
    if node.op == "LeakyRelu":
        slopes: tuple[Fraction, ...] = (Fraction(float(node.attrs.get("alpha", 0.01))),)
    else:
        slopes = constant_operand(node, 1, build.opset, None)
    _refuse_falling(slopes)
    return (Leaky(slopes),)


def _limit(build: Builder, node: gs.Node, index: int, absent: float) -> Real:
    tensor = input_at(node, index)
    if tensor is None:
        return absent
    values = fractions(tensor, build.opset)
    if values is None or len(values) != 1:
        raise NotExact("its bounds are no constants")
    return values[0]


def _refuse_falling(slopes: Sequence[Fraction]) -> None:
    if min(slopes) < 0:
        raise NotExact("it falls somewhere, so that no table of thresholds can stand for it")
