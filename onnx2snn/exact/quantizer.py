"""QuantizeLinear → DequantizeLinear with constant parameters, as exact numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.exact.monotone import Clipped, Monotone
from onnx2snn.exact.signal import NotExact, shrunk
from onnx2snn.graphs import Array, constant, consumers, input_at, producer, rank
from onnx2snn.sites.quantizer import integer_range


@dataclass(frozen=True)
class Quantizer:
    """What an integer stands for: scale·(q − zero_point).

    Attributes:
        node: the QuantizeLinear, or the DequantizeLinear of integers that come from elsewhere.
        scales: one, or one for each channel; positive.
        zero_points: likewise.
        lowest: smallest integer of the type.
        highest: largest.
        dtype: the integers' type.
    """

    node: gs.Node
    scales: tuple[Fraction, ...]
    zero_points: tuple[int, ...]
    lowest: int
    highest: int
    dtype: np.dtype

    @property
    def channels(self) -> int:
        """How many channels it tells apart; 1 for none."""
        return max(len(self.scales), len(self.zero_points))

    @property
    def grid(self) -> tuple[object, ...]:
        """What makes two quantizers the same: which integers there are, and their values."""
        return self.scales, self.zero_points, self.lowest, self.highest

    def repeats(self, function: Monotone) -> bool:
        """Whether an activation in front of it changes nothing that it does not do itself."""
        if not isinstance(function, Clipped) or self.channels > 1:
            return False
        scale, zero = self.of_channel(0)
        low, high = scale * (self.lowest - zero), scale * (self.highest - zero)
        return bool(function.lower <= low and high <= function.upper)

    def of_channel(self, channel: int) -> tuple[Fraction, int]:
        """Scale and zero point."""
        scale = self.scales[channel if len(self.scales) > 1 else 0]
        return scale, self.zero_points[channel if len(self.zero_points) > 1 else 0]


def read(node: gs.Node) -> Quantizer:
    """The quantizer of a QuantizeLinear or DequantizeLinear.

    Raises:
        NotExact: its parameters are computed, differ along another axis than the channels, or a
            reader takes other ones.
    """
    parameters = _parameters(node)
    if node.op == "QuantizeLinear":
        for reader in consumers(node.outputs[0]):
            if reader.op != "DequantizeLinear":
                continue
            if _plain(_parameters(reader)) != _plain(parameters):
                raise NotExact("a DequantizeLinear reads it with another scale or zero point")
    scale, zero = parameters
    if not np.isfinite(scale).all() or (scale <= 0).any():
        raise NotExact("its scale is not positive")
    lowest, highest = integer_range(zero)
    return Quantizer(
        node=node,
        scales=shrunk([Fraction(float(s)) for s in scale.reshape(-1)]),
        zero_points=_whole(zero),
        lowest=lowest,
        highest=highest,
        dtype=np.dtype(zero.dtype),
    )


def largest_code(reader: gs.Node, found: Quantizer) -> int:
    """The largest |q − zero point| that a DequantizeLinear can read, a Clip in front counted.

    Integers of few bits are bytes behind a Clip. Ordinary nodes compute in float32, so a code
    that is a half but for rounding errors counts as the larger one.
    """
    low, high = found.lowest, found.highest
    maker = producer(reader.inputs[0])
    clip = producer(maker.inputs[0]) if maker is not None and maker.op == "QuantizeLinear" else None
    if clip is not None and clip.op == "Clip" and found.channels == 1:
        scale, zero = found.of_channel(0)
        half = Fraction(1, 2) + Fraction(found.highest - found.lowest, 2**20)
        least, most = (constant(input_at(clip, i)) for i in (1, 2))
        if least is not None and np.isfinite(least).all():
            low = max(low, ceil(Fraction(float(least.reshape(()))) / scale - half) + zero)
        if most is not None and np.isfinite(most).all():
            high = min(high, floor(Fraction(float(most.reshape(()))) / scale + half) + zero)
    return max(1, *(max(abs(low - z), abs(high - z)) for z in found.zero_points))


def _whole(zero: Array) -> tuple[int, ...]:
    values = tuple(int(z) for z in zero.reshape(-1))
    return values[:1] if len(set(values)) == 1 else values


def _plain(parameters: tuple[Array, Array]) -> tuple[list[float], list[int]]:
    scale, zero = parameters
    return scale.astype(np.float64).reshape(-1).tolist(), zero.astype(np.int64).reshape(-1).tolist()


def _parameters(node: gs.Node) -> tuple[Array, Array]:
    scale, zero = constant(input_at(node, 1)), constant(input_at(node, 2))
    if scale is None or (zero is None and input_at(node, 2) is not None):
        raise NotExact("its scale is computed from the input")
    if zero is None:
        kind = node.outputs[0].dtype if node.op == "QuantizeLinear" else node.inputs[0].dtype
        zero = np.zeros(scale.shape, np.uint8 if kind is None else kind)
    axis, ndim = int(node.attrs.get("axis", 1)), rank(node.inputs[0])
    if scale.ndim > 1 or (scale.size > 1 and axis != 1 and (ndim is None or axis + ndim != 1)):
        raise NotExact("its scale differs along another axis than the channels")
    return scale, zero
