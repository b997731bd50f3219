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
    merge_time,
    samples_axis,
    split_time,
    text_choice,
    window_shapes,
)

#: What is kept of the accumulator before the next step's current is added.
KEEP = {"mean": 1.0, "sum": 1.0, "last": 0.0, "radix": 2.0}


def step(acc: Array, current: Array, mode: str) -> Array:
    """One time step of the accumulator, float32."""
    return np.asarray(acc * np.float32(KEEP[mode]) + current, dtype=np.float32)


def window(
    currents: Array, timesteps: Array, *, mode: str = "mean", cumulative: int = 0
) -> tuple[Array]:
    """[T·N, ...] to [N, ...], or to [T·N, ...] when cumulative."""
    (currents,) = as_float32(currents)
    rows = split_time(currents, int(timesteps))
    acc = np.zeros(rows.shape[1:], dtype=np.float32)
    answers = []
    for t, current in enumerate(rows):
        acc = step(acc, current, mode)
        answers.append(acc / np.float32(t + 1) if mode == "mean" else acc)
    return (merge_time(np.stack(answers)) if cumulative else answers[-1],)


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Time is gone from axis 0, unless cumulative."""
    rows = shapes[0][0] if shapes[0] else None
    return ((rows if attributes["cumulative"] else samples_axis(rows), *shapes[0][1:]),)


SPEC = OPS.register("SpikeDecode")(
    OpSpec(
        name="SpikeDecode",
        since_version=1,
        summary="Readout: what a current or a spike train amounts to over the window.",
        definition=(
            "For t = 0 … T−1, from acc = 0, in float32:\n\n"
            "    acc ← keep·acc + I(t)      keep = 1 (mean, sum), 0 (last), 2 (radix)\n"
            "    answer(t) = acc / (t + 1)  (mean), else acc\n\n"
            "The output is answer(T−1), or with `cumulative` = 1 the answer after every step "
            "(time-major), the anytime curve. `mean` commutes with affine ops, so it may stand "
            "before the last ones; `sum`, `last` and `radix` do not commute with a bias."
        ),
        inputs=(
            Param("I", "[T·N, ...]", "currents or spikes, time-major"),
            TIMESTEPS_PARAM,
        ),
        outputs=(Param("Y", "[N, ...], or [T·N, ...] when cumulative", "the answer"),),
        attributes=(
            Attr("mode", "string", "how time is read", default="mean", choices=tuple(KEEP)),
            Attr("cumulative", "int", "1: give the answer after every step", default=0),
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
  current_rows = Reshape <allowzero = 1> (I, window_shape)
  silence = ConstantOfShape <value = float[1] {0.0}> (flat)
  acc_last, acc_rows = Scan <num_scan_inputs = 1, body = one_step
    (float[?] acc, float[?] current) => (float[?] acc_next, float[?] acc_row) {
      kept = Mul (acc, keep)
      acc_next = Add (kept, current)
      acc_row = Identity (acc_next)
    }> (silence, current_rows)
  step_ones = ConstantOfShape <value = float[1] {1.0}> (steps)
  zero_axis = Constant <value_int = 0> ()
  step_numbers = CumSum (step_ones, zero_axis)
  others = Sub (step_numbers, step_ones)
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
  Y = Reshape <allowzero = 1> (wanted, wanted_shape)""",
    )
)
