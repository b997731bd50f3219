"""SpikeDecode: the readout over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from onnx2snn_runtime.opspec import (
    OPS,
    TIMESTEPS_PARAM,
    Array,
    Attr,
    AttributeValue,
    OpSpec,
    Param,
    Shape,
    as_float32,
    choice,
    merge_time,
    split_time,
    unknown_rows,
)
from onnx2snn_runtime.statements import final_states, flattened_states, text_choice, window_shapes

#: What is kept of the accumulator before the next step's current is added.
KEEP = {"mean": 1.0, "sum": 1.0, "last": 0.0, "radix": 2.0}


def step(acc: Array, current: Array, t: int, mode: str, delay: int) -> Array:
    """Time step ``t`` of the accumulator, float32."""
    keep = 0.0 if 1 <= t <= delay else KEEP[mode]
    return np.asarray(acc * np.float32(keep) + current, dtype=np.float32)


def window(
    currents: Array,
    acc_init: Array,
    t_init: Array,
    timesteps: Array,
    *,
    mode: str = "mean",
    cumulative: int = 0,
    delay: int = 0,
) -> tuple[Array, Array, Array]:
    """[T·N, ...] to [N, ...], or to [T·N, ...] when cumulative; and both states."""
    currents, acc_init = as_float32(currents, acc_init)
    rows = split_time(currents, int(timesteps))
    acc = np.broadcast_to(acc_init, rows.shape[1:])
    start = int(np.asarray(t_init).reshape(()))
    answers = []
    for t, current in enumerate(rows, start):
        acc = step(acc, current, t, mode, delay)
        summed = max(t - delay, 0) + 1
        answers.append(acc / np.float32(summed) if mode == "mean" else acc)
    after = np.asarray(start + len(rows), dtype=np.int64)
    return merge_time(np.stack(answers)) if cumulative else answers[-1], acc, after


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Time is gone from axis 0, unless cumulative."""
    state = unknown_rows(shapes[0])
    return shapes[0] if attributes["cumulative"] else state, state, ()


SPEC = OPS.register("SpikeDecode")(
    OpSpec(
        name="SpikeDecode",
        since_version=1,
        summary="Readout: what a current or a spike train amounts to over the window.",
        definition=(
            "For t = t_init … t_init + T−1, from acc = acc_init, in float32:\n\n"
            "    acc ← keep·acc + I(t)      keep = 1 (mean, sum), 0 (last), 2 (radix),\n"
            "                               and 0 where 1 ≤ t ≤ delay\n"
            "    answer(t) = acc / (max(t − delay, 0) + 1)  (mean), else acc\n\n"
            "The output is the last answer, or with `cumulative` = 1 the answer after every step "
            "(time-major), the anytime curve. Both states are 0 at the beginning; fed back, they "
            "let a readout go on in the next window. A `delay` leaves out that many first steps; "
            "until they are over, the answer is the newest current alone. `mean` commutes with "
            "affine ops, so it may stand before the last ones; `sum`, `last` and `radix` do not "
            "commute with a bias."
        ),
        inputs=(
            Param("I", "[T·N, ...]", "currents or spikes, time-major"),
            Param("acc_init", "broadcastable to [N, ...]", "accumulator before the window"),
            Param("t_init", "scalar", "steps done before the window", "int64"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("Y", "[N, ...], or [T·N, ...] when cumulative", "the answer"),
            Param("acc_final", "[N, ...]", "accumulator after the window"),
            Param("t_final", "scalar", "steps done after it", "int64"),
        ),
        attributes=(
            choice("mode", "how time is read", *KEEP),
            Attr("cumulative", "int", "1: give the answer after every step", default=0),
            Attr("delay", "int", "steps at the beginning that do not count, at least 0", default=0),
        ),
        window=window,
        infer_shapes=infer_shapes,
        body=text_choice("mode", "mean")
        + text_choice("mode", "last")
        + text_choice("mode", "radix")
        + window_shapes("I")
        + """
  one = Constant <value_float = 1.0> ()
  keep_all = Add (one, mode_is_radix)
  keep = Sub (keep_all, mode_is_last)
  first = Constant <value_ints = [0]> ()
  current_rows = Reshape <allowzero = 1> (I, window_shape)"""
        + flattened_states("acc")
        + """
  zero_axis = Constant <value_int = 0> ()
  one_whole = Constant <value_int = 1> ()
  end = Add (t_init, T)
  numbers = Range (t_init, end, one_whole)
  delay_scalar = Constant <value_int: int = @delay> ()
  is_after = Greater (numbers, delay_scalar)
  is_later = Greater (numbers, zero_axis)
  is_first = Not (is_later)
  is_kept = Or (is_after, is_first)
  kept_steps = Cast <to = 1> (is_kept)
  keeps = Mul (kept_steps, keep)
  acc_last, acc_rows = Scan <num_scan_inputs = 2, body = one_step
    (float[?] acc, float[?] current, float keep_now) => (float[?] acc_next, float[?] acc_row) {
      kept = Mul (acc, keep_now)
      acc_next = Add (kept, current)
      acc_row = Identity (acc_next)
    }> (acc_flat, current_rows, keeps)
  step_ones = ConstantOfShape <value = float[1] {1.0}> (steps)
  since_delay = Sub (numbers, delay_scalar)
  others_whole = Max (since_delay, zero_axis)
  others = Cast <to = 1> (others_whole)
  mean_others = Mul (others, mode_is_mean)
  divisors_flat = Add (mean_others, step_ones)
  divisor_shape = Constant <value_ints = [-1, 1]> ()
  divisors = Reshape (divisors_flat, divisor_shape)
  answers = Div (acc_rows, divisors)
  flag_scalar = Constant <value_int: int = @cumulative> ()
  flag = Reshape (flag_scalar, axis)
  before_last = Sub (steps, axis)
  not_cumulative = Sub (axis, flag)
  start = Mul (before_last, not_cumulative)
  wanted = Slice (answers, start, steps, first)
  wanted_steps = Sub (steps, start)
  wanted_rows = Mul (wanted_steps, samples)
  wanted_shape = Concat <axis = 0> (wanted_rows, tail)
  Y = Reshape <allowzero = 1> (wanted, wanted_shape)"""
        + final_states("acc")
        + """
  t_final = Identity (end)""",
    )
)
