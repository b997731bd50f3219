"""RateEncode: values as spike counts, evenly spread over the window."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.encoders import (
    STEP_NUMBERS,
    VALUES,
    given_in_steps,
    grown,
    grown_shape,
    sample_size,
)
from onnx2snn_runtime.levels import (
    HIGH,
    LOW,
    QUANTIZE,
    levels,
    levels_text,
    unit_range,
    unit_range_text,
)
from onnx2snn_runtime.opspec import (
    OPS,
    TIMESTEPS_PARAM,
    Array,
    OpSpec,
    Param,
    always,
    as_float32,
    merge_time,
)
from onnx2snn_runtime.statements import STEPS, text_choice


def step(counts: Array, t: int, timesteps: int) -> Array:
    """The spikes of step ``t`` of T of int64 counts in 0 … T: even, and centred in time."""
    half = timesteps // 2
    after, before = ((counts * n + half) // timesteps for n in (t + 1, t))
    return np.asarray(after - before, dtype=np.float32)


def window(
    x: Array, low: Array, high: Array, timesteps: Array, *, quantize: str = "nearest"
) -> tuple[Array]:
    """[N, ...] to spikes [T·N, ...]."""
    x, low, high = as_float32(x, low, high)
    T = int(timesteps)
    counts = levels(unit_range(x, low, high), T, quantize).astype(np.int64)
    return (merge_time(np.stack([step(counts, t, T) for t in range(T)])),)


SPEC = OPS.register("RateEncode")(
    OpSpec(
        name="RateEncode",
        since_version=1,
        summary="Rate coding of a value range: a count of spikes, evenly spread.",
        definition=(
            "The value's place in [low, high] is quantized to a count k of 0 … T spikes, in "
            "float32, and spread in integers as an integrate-and-fire neuron would that is driven "
            "by k, fires at T and starts at ⌊T/2⌋:\n\n"
            "    u = (min(max(X, low), high) − low) / (high − low)\n"
            '    k = u·T, to the nearest whole number (quantize = "nearest") or the one below\n'
            "    s(t) = ⌊((t + 1)·k + ⌊T/2⌋) / T⌋ − ⌊(t·k + ⌊T/2⌋) / T⌋\n\n"
            "The count is exactly k, and k spikes stand for the value low + (high − low)·k/T: the "
            "amplitude high − low and the offset low belong behind the op. With low ≠ 0 this is "
            "the value-range encoding of Yan 2022 (T_min/T_q and T_max/T_q are the range's ends)."
        ),
        inputs=(
            VALUES,
            LOW,
            HIGH,
            TIMESTEPS_PARAM,
        ),
        outputs=(Param("spikes", "[T·N, ...]", "0 or 1, time-major"),),
        attributes=(QUANTIZE,),
        needs_whole_window=always,
        window=window,
        infer_shapes=grown,
        body=text_choice("quantize", "floor")
        + unit_range_text()
        + """
  timesteps_value = Cast <to = 1> (T)"""
        + levels_text("counts", "timesteps_value")
        + STEPS
        + sample_size("X")
        + """
  counts_flat = Reshape <allowzero = 1> (counts, flat)
  levels = Cast <to = 7> (counts_flat)
  two = Constant <value_ints = [2]> ()
  half = Div (steps, two)"""
        + STEP_NUMBERS
        + """
  number_column = Reshape (numbers, column)
  driven = Mul (number_column, levels)
  charged = Add (driven, half)
  given = Div (charged, steps)
  zero = Constant <value_ints = [0]> ()"""
        + given_in_steps("spike_numbers")
        + """
  spike_rows = Cast <to = 1> (spike_numbers)"""
        + grown_shape("X")
        + """
  spikes = Reshape <allowzero = 1> (spike_rows, shape)""",
    )
)
