"""Quantization of a value range to spike counts: what the rate encoders share."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.opspec import Array, Param, choice

LOW = Param("low", "broadcastable to one sample", "value of no spike")
HIGH = Param("high", "broadcastable to one sample", "value of T spikes, above low")
QUANTIZE = choice(
    "quantize",
    "how a value becomes a whole number of spikes; halves go to the even number",
    "nearest",
    "floor",
)


def unit_range(x: Array, low: Array, high: Array) -> Array:
    """Values clipped to [low, high] as a share of that range, float32 in [0, 1]."""
    return np.asarray((np.minimum(np.maximum(x, low), high) - low) / (high - low))


def levels(share: Array, steps: int, quantize: str) -> Array:
    """The whole number of ``steps`` (at least 0) that a share in [0, 1] amounts to, float32."""
    scaled = share * np.float32(steps)
    return np.asarray(np.rint(scaled) if quantize == "nearest" else np.floor(scaled))


def unit_range_text() -> str:
    """Body statements that set ``share`` and ``extent`` from ``X``, ``low`` and ``high``."""
    return """
  at_least_low = Max (X, low)
  inside = Min (at_least_low, high)
  above_low = Sub (inside, low)
  extent = Sub (high, low)
  share = Div (above_low, extent)"""


def levels_text(name: str, steps: str) -> str:
    """Body statements that set ``name`` to the levels of ``share`` for ``steps`` (float).

    They need the flag ``quantize_is_floor`` (float, [1]).
    """
    return f"""
  {name}_scaled = Mul (share, {steps})
  {name}_nearest = Round ({name}_scaled)
  {name}_floor = Floor ({name}_scaled)
  {name}_is_floor = Cast <to = 9> (quantize_is_floor)
  {name} = Where ({name}_is_floor, {name}_floor, {name}_nearest)"""
