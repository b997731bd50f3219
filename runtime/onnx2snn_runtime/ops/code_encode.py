"""CodeEncode: the integers of the source's own input quantizer as spikes, exactly."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.encoders import T_FINAL, T_INIT, grown_and_steps, grown_shape, sample_size
from onnx2snn_runtime.opspec import OPS, TIMESTEPS_PARAM, Array, OpSpec, Param, choice, merge_time
from onnx2snn_runtime.statements import STEPS, text_choice


def spread(codes: Array, timesteps: int, emission: str) -> Array:
    """Spike trains [T, N, ...] of whole windows, float32.

    Args:
        codes: int64 [N, ...].
        timesteps: T.
        emission: "averaged" (evenly, at most T spikes) or "radix" (bits, high first).
    """
    size = np.abs(codes)
    if emission == "averaged":
        size = np.minimum(size, timesteps)
    sign = np.sign(codes)
    spikes = np.empty((timesteps, *codes.shape), dtype=np.float32)
    before = np.zeros_like(size)
    for t in range(timesteps):
        if emission == "averaged":
            now = size * (t + 1) // timesteps
            spikes[t] = sign * (now - before)
        else:
            now = size // 2 ** (timesteps - 1 - t)
            spikes[t] = sign * (now - 2 * before)
        before = now
    return spikes


def spread_text(codes: str) -> str:
    """Body statements that spread ``codes`` [flat] (int64) over T steps: ``code_rows`` [T, flat].

    They need ``T``, ``steps`` [T], ``axis`` [1], and ``emission_is_radix`` (float, [1]).
    """
    statements = f"""
code_radix = Cast <to = 7> (emission_is_radix)
code_even = Sub (axis, code_radix)
code_limit_even = Mul (code_even, steps)
code_unlimited = Constant <value_ints = [{2**62}]> ()
code_limit_radix = Mul (code_radix, code_unlimited)
code_limit = Add (code_limit_even, code_limit_radix)
code_abs = Abs ({codes})
code_size = Min (code_abs, code_limit)
code_sign = Sign ({codes})
code_begin = Constant <value_int = 1> ()
code_end = Add (T, code_begin)
code_step_numbers = Range (code_begin, code_end, code_begin)
code_numerator_even = Mul (code_step_numbers, code_even)
code_numerator = Add (code_numerator_even, code_radix)
code_later = Sub (steps, code_step_numbers)
code_exponent = Mul (code_later, code_radix)
code_two = Constant <value_ints = [2]> ()
code_powers = Pow (code_two, code_exponent)
code_denominator_even = Mul (steps, code_even)
code_power_part = Mul (code_powers, code_radix)
code_denominator = Add (code_denominator_even, code_power_part)
code_keep = Add (axis, code_radix)
code_none = Sub (code_size, code_size)
code_last, code_rows = Scan <num_scan_inputs = 2, body = code_step
  (int64[?] code_before, int64 code_over, int64 code_under)
  => (int64[?] code_now, float[?] code_spike) {{
    code_scaled = Mul (code_size, code_over)
    code_now = Div (code_scaled, code_under)
    code_kept = Mul (code_before, code_keep)
    code_more = Sub (code_now, code_kept)
    code_signed = Mul (code_more, code_sign)
    code_spike = Cast <to = 1> (code_signed)
  }}> (code_none, code_numerator, code_denominator)"""
    return statements.replace("\n", "\n      ")


def step(codes: Array, t: int, emission: str) -> Array:
    """The current of step ``t`` of the encodings that need no T: "once" and "unary"."""
    if emission == "once":
        return (codes if t == 0 else np.zeros_like(codes)).astype(np.float32)
    return (np.sign(codes) * (np.abs(codes) > t)).astype(np.float32)


def window(
    codes: Array, t_init: Array, timesteps: Array, *, emission: str = "once"
) -> tuple[Array, Array]:
    """Codes [N, ...] to currents [T·N, ...]."""
    T, start = int(timesteps), int(np.asarray(t_init).reshape(()))
    codes = np.asarray(codes, dtype=np.int64)
    if emission in {"once", "unary"}:
        rows = np.stack([step(codes, start + t, emission) for t in range(T)])
    else:
        rows = spread(codes, T, emission)
    return merge_time(rows), np.asarray(start + T, dtype=np.int64)


SPEC = OPS.register("CodeEncode")(
    OpSpec(
        name="CodeEncode",
        since_version=1,
        summary="Integer codes of a quantizer as one impulse or as a signed spike train.",
        definition=(
            "With c the code and t the number of the step, counted from `t_init`:\n\n"
            '    emission = "once":      I(t) = c at t = 0, else 0\n'
            '    emission = "unary":     I(t) = sign(c) while t < |c|, else 0\n'
            '    emission = "averaged":  n(t) = ⌊min(|c|, T)·(t + 1) / T⌋,  '
            "I(t) = sign(c)·(n(t) − n(t−1))\n"
            '    emission = "radix":     I(t) = sign(c)·bit T−1−t of |c|    (|c| < 2^T)\n\n'
            "`once`, `unary` and `averaged` (|c| ≤ T) sum to c over the window; `radix` does under "
            "acc ← 2·acc + I. `averaged` and `radix` are made for one window and do not read "
            "`t_init`."
        ),
        inputs=(
            Param("codes", "[N, ...]", "integers, zero point taken off", "int64"),
            T_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("currents", "[T·N, ...]", "integer-valued, time-major"),
            T_FINAL,
        ),
        attributes=(
            choice("emission", "how the integer is spoken", "once", "unary", "averaged", "radix"),
        ),
        needs_whole_window=lambda attributes: attributes["emission"] in {"averaged", "radix"},
        window=window,
        infer_shapes=grown_and_steps,
        body=text_choice("emission", "once")
        + text_choice("emission", "unary")
        + text_choice("emission", "radix")
        + STEPS
        + sample_size("codes")
        + grown_shape("codes")
        + f"""
  flat_codes = Reshape <allowzero = 1> (codes, flat)
  zero_scalar = Constant <value_int = 0> ()
  one_scalar = Constant <value_int = 1> ()
  numbers = Range (zero_scalar, T, one_scalar)
  now = Add (numbers, t_init)
  serial_value = Add (emission_is_once, emission_is_unary)
  is_serial_row = Cast <to = 9> (serial_value)
  is_serial = Squeeze (is_serial_row)
  is_once = Cast <to = 9> (emission_is_once)
  spike_rows = If (is_serial) <
    then_branch = serial () => (serial_rows) {{
      size = Abs (flat_codes)
      sign = Sign (flat_codes)
      column = Constant <value_ints = [-1, 1]> ()
      now_column = Reshape (now, column)
      lasting = Where (is_once, axis, size)
      amount = Where (is_once, flat_codes, sign)
      active = Greater (lasting, now_column)
      nothing = Sub (size, size)
      serial_integers = Where (active, amount, nothing)
      serial_rows = Cast <to = 1> (serial_integers)
    }},
    else_branch = of_the_window () => (window_rows) {{
{spread_text("flat_codes")}
      window_rows = Identity (code_rows)
    }}>
  currents = Reshape <allowzero = 1> (spike_rows, shape)
  t_final = Add (t_init, T)""",
    )
)
