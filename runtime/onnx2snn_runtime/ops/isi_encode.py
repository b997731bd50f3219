"""IsiEncode: inter-spike-interval code, a spike at every multiple of an interval (Gao 2023)."""

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
from onnx2snn_runtime.opspec import (
    OPS,
    TIMESTEPS_PARAM,
    Array,
    Attr,
    OpSpec,
    Param,
    always,
    as_float32,
    merge_time,
)
from onnx2snn_runtime.statements import STEPS


def spike_count(x: Array, x_max: Array, alpha: float, length: int) -> Array:
    """How many spikes a value's size gets in ``length`` steps, int64 in 0 … length."""
    size = np.minimum(np.abs(x), x_max).astype(np.float64)
    rate = np.float64(np.float32(alpha)) * np.float64(length)
    return np.minimum((rate * size / x_max.astype(np.float64)).astype(np.int64), length)


def given(counts: Array, t: int, length: int) -> Array:
    """How many of the n = 1 … counts have ⌊n·length/counts⌋ ≤ t, for t ≤ length."""
    return np.asarray(np.maximum((t + 1) * counts - 1, 0) // max(length, 1))


def step(counts: Array, sign: Array, t: int, length: int) -> Array:
    """The spikes of step ``t``: silent once the code's ``length`` is over."""
    more = given(counts, min(t + 1, length), length) - given(counts, min(t, length), length)
    return sign * more.astype(np.float32)


def window(
    x: Array, x_max: Array, timesteps: Array, *, alpha: float = 1.0, silent_steps: int = 0
) -> tuple[Array]:
    """[N, ...] to spikes [T·N, ...]."""
    x, x_max = as_float32(x, x_max)
    T = int(timesteps)
    length = max(T - silent_steps, 0)
    counts, sign = spike_count(x, x_max, alpha, length), np.sign(x)
    return (merge_time(np.stack([step(counts, sign, t, length) for t in range(T)])),)


SPEC = OPS.register("IsiEncode")(
    OpSpec(
        name="IsiEncode",
        since_version=1,
        summary="Inter-spike-interval code: spikes at the multiples of an interval.",
        definition=(
            "The code of Gao 2023, section 4.1, for L = T − silent_steps steps:\n\n"
            "    N = ⌊alpha·L·min(|X|, x_max) / x_max⌋, at most L    (float64, from the left)\n"
            "    the n-th spike, n = 1 … N, comes in step ⌊n·L / N⌋, counted from 1\n\n"
            "The places are computed in integers: a step t = 0 … L−1 (counted from 0) holds a "
            "spike where G(t+1) > G(t), with G(t) = ⌊max((t + 1)·N − 1, 0) / L⌋. There are none "
            "for X = 0, and L for X = x_max at alpha = 1. The paper divides L by the rate before "
            "its floor; with N the last spike always comes in step L. Values below zero, which "
            "the paper does not have, give the same train of negative spikes.\n\n"
            "Whole numbers X and x_max (pixels and 255) give N exactly. The last `silent_steps` "
            "steps stay silent, for neurons that round in the last row of the window."
        ),
        inputs=(
            VALUES,
            Param("x_max", "broadcastable to one sample", "largest size of a value, positive"),
            TIMESTEPS_PARAM,
        ),
        outputs=(Param("spikes", "[T·N, ...]", "−1, 0 or 1, time-major"),),
        attributes=(
            Attr("alpha", "float", "share of the steps that the largest value uses", default=1.0),
            Attr("silent_steps", "int", "steps at the end that belong to others", default=0),
        ),
        needs_whole_window=always,
        window=window,
        infer_shapes=grown,
        body=STEPS
        + """
  zero = Constant <value_ints = [0]> ()
  silent = Constant <value_int: int = @silent_steps> ()
  left = Sub (steps, silent)
  length = Max (left, zero)
  divisor = Max (length, axis)
  size_any = Abs (X)
  size = Min (size_any, x_max)
  size_wide = Cast <to = 11> (size)
  largest = Cast <to = 11> (x_max)
  alpha_value = Constant <value_float: float = @alpha> ()
  alpha_wide = Cast <to = 11> (alpha_value)
  length_wide = Cast <to = 11> (length)
  rate = Mul (alpha_wide, length_wide)
  scaled = Mul (rate, size_wide)
  amount = Div (scaled, largest)
  counts_any = Cast <to = 7> (amount)
  counts = Min (counts_any, length)"""
        + sample_size("X")
        + """
  counts_flat = Reshape <allowzero = 1> (counts, flat)
  sign = Sign (X)
  sign_flat = Reshape <allowzero = 1> (sign, flat)"""
        + STEP_NUMBERS
        + """
  number_any = Reshape (numbers, column)
  number_column = Min (number_any, length)
  number_next = Add (number_column, axis)
  places = Mul (number_next, counts_flat)
  places_less = Sub (places, axis)
  places_whole = Max (places_less, zero)
  given = Div (places_whole, divisor)"""
        + given_in_steps("more_numbers")
        + """
  more = Cast <to = 1> (more_numbers)
  spike_rows = Mul (sign_flat, more)"""
        + grown_shape("X")
        + """
  spikes = Reshape <allowzero = 1> (spike_rows, shape)""",
    )
)
