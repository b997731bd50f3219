"""ChannelExpand: input channel expansion, three rate codes of the input (ICE, Yan 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from onnx2snn_runtime.levels import (
    HIGH,
    LOW,
    QUANTIZE,
    levels,
    levels_text,
    unit_range,
    unit_range_text,
)
from onnx2snn_runtime.ops.rate_encode import step as rate_encode_step
from onnx2snn_runtime.opspec import (
    DOMAIN,
    OPS,
    TIMESTEPS_PARAM,
    Array,
    Attr,
    AttributeValue,
    OpSpec,
    Param,
    Shape,
    always,
    as_float32,
    merge_time,
    unknown_rows,
)
from onnx2snn_runtime.statements import text_choice


def step(counts: Array, t: int, timesteps: int, phi: int) -> Array:
    """The spikes of step ``t`` of T of the three counts [N, 3·C, ...], phi times over."""
    return np.concatenate([rate_encode_step(counts, t, timesteps)] * phi, axis=1)


def window(
    x: Array,
    low: Array,
    high: Array,
    timesteps: Array,
    *,
    phi: int = 1,
    quantize: str = "nearest",
) -> tuple[Array]:
    """[N, C, ...] to spikes [T·N, 3·phi·C, ...]."""
    x, low, high = as_float32(x, low, high)
    T = int(timesteps)
    share = unit_range(x, low, high)
    copies = (np.minimum(levels(share, n, quantize), np.float32(T)) for n in (T, T + 1, T - 1))
    counts = np.concatenate(list(copies), axis=1).astype(np.int64)
    return (merge_time(np.stack([step(counts, t, T, phi) for t in range(T)])),)


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Axis 0 grows T-fold, axis 1 3·phi-fold."""
    n, channels, *sizes = shapes[0]
    copies = 3 * cast(int, attributes["phi"])
    expanded = copies * channels if isinstance(channels, int) else None
    return (unknown_rows((n, expanded, *sizes)),)


SPEC = OPS.register("ChannelExpand")(
    OpSpec(
        name="ChannelExpand",
        since_version=1,
        summary="Input channel expansion: rate codes of T, T+1 and T−1 levels side by side.",
        definition=(
            "The input channel expansion (ICE) of Yan 2022, algorithm 3, for a range other than "
            "[0, 1] too. In float32, with u the value's place in the range:\n\n"
            "    u = (min(max(X, low), high) − low) / (high − low)\n"
            "    k₁ = Q(u·T),  k₂ = min(Q(u·(T+1)), T),  k₃ = Q(u·(T−1))\n\n"
            "Q takes the nearest whole number, or the one below as the paper does. The paper "
            "remaps levels t/(T+1) and t/(T−1) to t/T, so all three are numbers of spikes in T "
            "steps. The output has the trains of k₁, k₂, k₃ along the channels, phi times over, "
            "each spread as by RateEncode; k spikes stand for low + (high − low)·k/T. At T = 1 "
            "the paper's third copy would divide by zero: k₃ is 0 there and the copy is silent."
        ),
        inputs=(
            Param("X", "[N, C, ...]", "analog values"),
            LOW,
            HIGH,
            TIMESTEPS_PARAM,
        ),
        outputs=(Param("spikes", "[T·N, 3·phi·C, ...]", "0 or 1, time-major"),),
        attributes=(
            Attr("phi", "int", "how often the three copies are repeated, at least 1", default=1),
            QUANTIZE,
        ),
        needs_whole_window=always,
        window=window,
        infer_shapes=infer_shapes,
        calls=("RateEncode",),
        body=text_choice("quantize", "floor")
        + unit_range_text()
        + """
  one = Constant <value_float = 1.0> ()
  same = Cast <to = 1> (T)
  more = Add (same, one)
  fewer = Sub (same, one)"""
        + levels_text("counts_same", "same")
        + levels_text("counts_more", "more")
        + levels_text("counts_fewer", "fewer")
        + f"""
  counts_limited = Min (counts_more, same)
  three = Concat <axis = 1> (counts_same, counts_limited, counts_fewer)
  phi_scalar = Constant <value_int: int = @phi> ()
  axis = Constant <value_ints = [1]> ()
  phi_row = Reshape (phi_scalar, axis)
  sizes = Shape <start = 2> (X)
  rank = Shape (sizes)
  ones = ConstantOfShape <value = int64[1] {{1}}> (rank)
  repeats = Concat <axis = 0> (axis, phi_row, ones)
  counts = Tile (three, repeats)
  none = Sub (one, one)
  spikes = {DOMAIN}.RateEncode <quantize = "nearest"> (counts, none, same, T)""",
    )
)
