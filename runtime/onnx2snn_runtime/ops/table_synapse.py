"""TableSynapse: a current that is any function of the code spoken so far."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.opspec import (
    OPS,
    TIMESTEPS_PARAM,
    Array,
    OpSpec,
    Param,
    choice,
    merge_time,
    split_time,
)
from onnx2snn_runtime.populations import one_state
from onnx2snn_runtime.statements import final_states, flattened_states, text_choice, window_shapes


def step(code: Array, spike: Array, table: Array, lowest: int) -> tuple[Array, Array]:
    """One time step of a count: the current and the code after it, int64."""
    after = code + spike
    return table[after - lowest] - table[code - lowest], after


def window(
    spikes: Array,
    table: Array,
    code_min: Array,
    code_init: Array,
    timesteps: Array,
    *,
    code: str = "count",
) -> tuple[Array, Array]:
    """All T steps: spikes [T·N, ...] to currents [T·N, ...] and the final code [N, ...]."""
    rows = split_time(np.asarray(spikes).astype(np.int64), int(timesteps))
    table, lowest = np.asarray(table), int(np.asarray(code_min).reshape(()))
    spoken = np.array(np.broadcast_to(code_init, rows.shape[1:]), dtype=np.int64)
    currents = np.zeros_like(rows)
    for t, spike in enumerate(rows):
        if code == "count":
            currents[t], spoken = step(spoken, spike, table, lowest)
        else:
            spoken = 2 * spoken + spike
    if code == "radix":
        currents[-1] = table[spoken - lowest] - table[-lowest]
    return merge_time(currents), spoken


SPEC = OPS.register("TableSynapse")(
    OpSpec(
        name="TableSynapse",
        since_version=1,
        summary="A synapse whose current over the window is a table of the code that arrives.",
        definition=(
            "With c the code spoken so far and F(c) = table[c − code_min], in int64:\n\n"
            '    code = "count":   c ← c + s(t);     I(t) = F(c) − F(c before)\n'
            '    code = "radix":   c ← 2·c + s(t);   I(T−1) = F(c) − F(0),  I(t) = 0 before\n\n'
            "So the currents sum to F(c) − F(0), starting from code 0. onnxruntime rounds each "
            "operand of a quantized sum in float32 by itself: that is such a table."
        ),
        inputs=(
            Param("spikes", "[T·N, ...]", "−1, 0 or 1, time-major"),
            Param("table", "[K]", "F of each code, lowest code first", "int64"),
            Param("code_min", "[1]", "the lowest code, at most 0", "int64"),
            Param("code_init", "broadcastable to [N, ...]", "code before step 0", "int64"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("I", "[T·N, ...]", "currents", "int64"),
            Param("code_final", "[N, ...]", "code after step T−1", "int64"),
        ),
        attributes=(choice("code", "how spikes make a code", "count", "radix"),),
        needs_whole_window=lambda attributes: attributes["code"] == "radix",
        window=window,
        infer_shapes=one_state,
        body=text_choice("code", "radix")
        + window_shapes("spikes")
        + """
  shape = Shape (spikes)
  integers = Cast <to = 7> (spikes)
  spike_rows = Reshape <allowzero = 1> (integers, window_shape)"""
        + flattened_states("code")
        + """
  is_radix = Cast <to = 7> (code_is_radix)
  is_count = Sub (axis, is_radix)
  keep = Add (axis, is_radix)
  zero_scalar = Constant <value_int = 0> ()
  one_scalar = Constant <value_int = 1> ()
  numbers = Range (zero_scalar, T, one_scalar)
  last = Sub (T, one_scalar)
  is_last_flag = Equal (numbers, last)
  is_last = Cast <to = 7> (is_last_flag)
  speaks = Max (is_last, is_count)
  code_last, current_rows = Scan <num_scan_inputs = 2, body = one_step
    (int64[?] now, int64[?] spike, int64 heard) => (int64[?] then, int64[?] current) {
      kept = Mul (now, keep)
      then = Add (kept, spike)
      from_code = Mul (now, is_count)
      place_then = Sub (then, code_min)
      place_from = Sub (from_code, code_min)
      value_then = Gather (table, place_then)
      value_from = Gather (table, place_from)
      change = Sub (value_then, value_from)
      current = Mul (change, heard)
    }> (code_flat, spike_rows, speaks)
  I = Reshape <allowzero = 1> (current_rows, shape)"""
        + final_states("code"),
    )
)
