"""StaircaseFire: the exact neuron, which speaks the integers of a quantizer."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.ops.code_encode import spread, spread_text
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
from onnx2snn_runtime.populations import spikes_and_states, two_states
from onnx2snn_runtime.statements import flattened_states, text_choice, window_shapes

#: Steps of the search through a table; 16-bit quantizers have the longest.
HALVES = [2**b for b in range(16, -1, -1)]
#: Below and above every accumulator; they close a table at both ends.
LOWEST, HIGHEST = -(2**63 - 1), 2**63 - 1


def level(acc: Array, tau: Array) -> Array:
    """How many entries of each channel's table are at most ``acc``.

    Args:
        acc: int64 accumulators, channels on axis 1.
        tau: int64 [C or 1, K], ascending in K.
    """
    table = channels_last_table(tau, acc.shape)
    found: Array = (acc[..., None] >= table).sum(axis=-1, dtype=np.int64)
    return found


def channels_last_table(tau: Array, shape: tuple[int, ...]) -> Array:
    """The table broadcast against one sample batch of ``shape``: [..., K], a view."""
    trailing = [1] * max(len(shape) - 2, 0)
    rows = tau.reshape(tau.shape[0], *trailing, tau.shape[1])
    return np.broadcast_to(rows, (*shape, tau.shape[1]))


def closed(tau: Array) -> Array:
    """The table between an entry that is always reached and one that never is, [C or 1, K + 2].

    So the tracer also finds its way back from outside the staircase's range.
    """
    ends = np.broadcast_to(np.array([LOWEST, HIGHEST], dtype=np.int64), (len(tau), 2))
    return np.concatenate([ends[:, :1], tau, ends[:, 1:]], axis=1)


def unary_step(
    acc: Array, s: Array, current: Array, table: Array, s_min: int
) -> tuple[Array, Array, Array]:
    """One time step: the tracer moves at most one level towards the staircase's value.

    Args:
        acc: int64 accumulator before the step, [N, ...].
        s: int64 tracer before the step.
        current: int64 input of the step.
        table: a closed table broadcast, [N, ..., K + 2].
        s_min: the staircase's lowest value.

    Returns:
        The spike (−1, 0 or 1), the accumulator and the tracer after the step.
    """
    acc = acc + current
    last = table.shape[-1] - 1
    index = s - s_min
    above = np.take_along_axis(table, np.clip(index + 1, 0, last)[..., None], axis=-1)[..., 0]
    below = np.take_along_axis(table, np.clip(index, 0, last)[..., None], axis=-1)[..., 0]
    spike = (acc >= above).astype(np.int64) - (acc < below)
    return spike, acc, s + spike


def window(
    currents: Array,
    tau: Array,
    s_min: Array,
    acc_init: Array,
    s_init: Array,
    timesteps: Array,
    *,
    emission: str = "unary",
) -> tuple[Array, Array, Array]:
    """All T steps; see the definition."""
    T = int(timesteps)
    rows = split_time(np.asarray(currents).astype(np.int64), T)
    shape = rows.shape[1:]
    acc = np.array(np.broadcast_to(acc_init, shape), dtype=np.int64)
    lowest = int(np.asarray(s_min).reshape(()))
    if emission == "unary":
        table = channels_last_table(closed(np.asarray(tau)), shape)
        s = np.array(np.broadcast_to(s_init, shape), dtype=np.int64)
        spikes = np.empty(rows.shape, dtype=np.float32)
        for t, current in enumerate(rows):
            spikes[t], acc, s = unary_step(acc, s, current, table, lowest)
        return merge_time(spikes), acc, s
    for current in rows:
        acc = acc * (2 if emission == "radix" else 1) + current
    s = lowest + level(acc, np.asarray(tau))
    return merge_time(spread(s, T, emission)), acc, s


SPEC = OPS.register("StaircaseFire")(
    OpSpec(
        name="StaircaseFire",
        since_version=1,
        summary="Exact neurons: the integer of a quantizer, as a signed spike train.",
        definition=(
            "A quantizer behind a linear layer is a monotone staircase of the layer's integer "
            "accumulator: `tau` holds, for each channel, the smallest accumulator that reaches "
            "each level above `s_min`. Scales, zero points, biases, activations between layer and "
            "quantizer, saturation and the rounding of halves to even are all in the table:\n\n"
            "    f(acc) = s_min + number of tau ≤ acc\n\n"
            "Everything is int64, so nothing is rounded anywhere.\n\n"
            'emission = "unary", every step:\n\n'
            "    acc ← acc + I(t)\n"
            "    s(t) = +1 where f(acc) > S, −1 where f(acc) < S, else 0;   S ← S + s(t)\n\n"
            'emission = "averaged", after the window, with S = f(acc_init + ΣI):\n\n'
            "    n(t) = ⌊min(|S|, T)·(t + 1) / T⌋,   s(t) = sign(S)·(n(t) − n(t−1)),  n(−1) = 0\n\n"
            'emission = "radix", after the window, with acc ← 2·acc + I(t) and S = f(acc):\n\n'
            "    s(t) = sign(S)·bit T−1−t of |S|    (|S| < 2^T)\n\n"
            "The tracer S is the spike count so far (unary), the count of the window (averaged) or "
            "its code (radix); `s_final` is S. In `unary` S reaches f of the final accumulator at "
            "most K steps after the last input, more if it starts outside of f's range. "
            "`averaged` and `radix` do not read `s_init`."
        ),
        inputs=(
            Param("I", "[T·N, C, ...]", "integer-valued input current", "float|int64"),
            Param("tau", "[C or 1, K]", "ascending thresholds of the accumulator", "int64"),
            Param("s_min", "[1]", "lowest value of the staircase", "int64"),
            Param("acc_init", "broadcastable to [N, C, ...]", "accumulator before step 0", "int64"),
            Param("s_init", "broadcastable to [N, C, ...]", "tracer before step 0", "int64"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("spikes", "[T·N, C, ...]", "−1, 0 or 1"),
            Param("acc_final", "[N, C, ...]", "accumulator after step T−1", "int64"),
            Param("s_final", "[N, C, ...]", "tracer after step T−1", "int64"),
        ),
        attributes=(choice("emission", "how the integer is spoken", "unary", "averaged", "radix"),),
        is_population=True,
        needs_whole_window=lambda attributes: attributes["emission"] != "unary",
        window=window,
        infer_shapes=two_states,
        body=text_choice("emission", "unary")
        + text_choice("emission", "radix")
        + window_shapes("I")
        + """
  shape = Shape (I)
  integers = Cast <to = 7> (I)
  current_rows = Reshape <allowzero = 1> (integers, window_shape)"""
        + flattened_states("acc", "s")
        + f"""
  zero = Constant <value_ints = [0]> ()
  zero_scalar = Constant <value_int = 0> ()
  one_scalar = Constant <value_int = 1> ()
  everything = Constant <value_ints = [-1]> ()
  table_rows = Shape <end = 1> (tau)
  table_rows_scalar = Squeeze (table_rows)
  lowest = Constant <value_ints = [{LOWEST}]> ()
  highest = Constant <value_ints = [{HIGHEST}]> ()
  column = Concat <axis = 0> (table_rows, axis)
  first_entry = Expand (lowest, column)
  last_entry = Expand (highest, column)
  closed = Concat <axis = 1> (first_entry, tau, last_entry)
  length = Shape <start = 1> (closed)
  last = Sub (length, axis)
  table = Reshape (closed, everything)
  channel = Range (zero_scalar, table_rows_scalar, one_scalar)
  channel_start = Mul (channel, length)
  tail_rank = Shape (tail)
  places = Sub (tail_rank, axis)
  trailing_rank = Max (places, zero)
  trailing = ConstantOfShape <value = int64[1] {{1}}> (trailing_rank)
  channel_shape = Concat <axis = 0> (table_rows, trailing)
  channel_map = Reshape (channel_start, channel_shape)
  start_map = Expand (channel_map, sample_shape)
  start = Reshape <allowzero = 1> (start_map, flat)
  is_unary = Cast <to = 9> (emission_is_unary)
  is_unary_scalar = Squeeze (is_unary)
  spike_rows, acc_last, s_last = If (is_unary_scalar) <
    then_branch = unary () => (spikes_unary, acc_unary, s_unary) {{
      acc_unary, s_unary, spikes_unary = Scan <num_scan_inputs = 1, body = one_step
        (int64[?] acc, int64[?] s, int64[?] current)
        => (int64[?] acc_next, int64[?] s_next, float[?] spike) {{
          acc_next = Add (acc, current)
          index = Sub (s, s_min)
          next = Add (index, axis)
          next_or_last = Min (next, last)
          at_above = Max (next_or_last, zero)
          this_or_last = Min (index, last)
          at_below = Max (this_or_last, zero)
          place_above = Add (start, at_above)
          place_below = Add (start, at_below)
          above = Gather (table, place_above)
          below = Gather (table, place_below)
          up = GreaterOrEqual (acc_next, above)
          down = Less (acc_next, below)
          up_count = Cast <to = 7> (up)
          down_count = Cast <to = 7> (down)
          change = Sub (up_count, down_count)
          s_next = Add (s, change)
          spike = Cast <to = 1> (change)
        }}> (acc_flat, s_flat, current_rows)
    }},
    else_branch = after_the_window () => (spikes_after, acc_after, s_after) {{
      keep_more = Cast <to = 7> (emission_is_radix)
      keep = Add (axis, keep_more)
      acc_after = Scan <num_scan_inputs = 1, body = accumulate
        (int64[?] acc_now, int64[?] current_now) => (int64[?] acc_then) {{
          kept = Mul (acc_now, keep)
          acc_then = Add (kept, current_now)
        }}> (acc_flat, current_rows)
      all_halves = Constant <value_ints = {HALVES}> ()
      needed = LessOrEqual (all_halves, last)
      halves = Compress <axis = 0> (all_halves, needed)
      nothing = ConstantOfShape <value = int64[1] {{0}}> (flat)
      level_found = Scan <num_scan_inputs = 1, body = bisect
        (int64[?] found, int64 half) => (int64[?] found_next) {{
          candidate = Add (found, half)
          candidate_or_last = Min (candidate, last)
          place = Add (start, candidate_or_last)
          entry = Gather (table, place)
          reached = GreaterOrEqual (acc_after, entry)
          found_next = Where (reached, candidate, found)
        }}> (nothing, halves)
      s_after = Add (level_found, s_min)
{spread_text("s_after")}
      spikes_after = Identity (code_rows)
    }}>"""
        + spikes_and_states("acc", "s"),
    )
)
