"""CalciumIntegrateFire: the calcium-gated bipolar leaky neuron with a rounding row (Gao 2023)."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.opspec import OPS, TIMESTEPS_PARAM, Array, Attr, OpSpec, Param, as_float32
from onnx2snn_runtime.populations import (
    CURRENT,
    CURRENT_ROWS,
    FIRE_SIGNED,
    S_INIT,
    SIGNED_OUTPUTS,
    THETA,
    V_INIT,
    fire_signed,
    simulate,
    spikes_and_states,
    two_states,
)
from onnx2snn_runtime.statements import flattened, window_shapes


def step(
    v: Array,
    s: Array,
    current: Array,
    theta: Array,
    leak: Array,
    *,
    gated: bool,
    rounds: bool,
) -> tuple[Array, Array, Array]:
    """One time step of float32 neurons.

    Args:
        v: membrane potential before the step, shape of one step's current.
        s: tracer before the step: positive minus negative spikes.
        current: input current of the step, [N, ...].
        theta: threshold, broadcastable against ``current``.
        leak: subtracted in every ordinary step, likewise.
        gated: whether negative spikes need a positive tracer.
        rounds: whether this is the rounding row.

    Returns:
        spikes (−1, 0 or 1), the membrane potential and the tracer after the step.
    """
    rounding = np.float32(rounds)
    v = v + current - leak * (np.float32(1) - rounding)
    limit = theta * (np.float32(1) - np.float32(0.5) * rounding)
    up = v >= limit
    down = v <= -limit
    if gated:
        down = down & (s > 0)
    return fire_signed(v, s, theta, up, down)


def window(
    currents: Array,
    theta: Array,
    leak: Array,
    v_init: Array,
    s_init: Array,
    timesteps: Array,
    *,
    gated: int = 1,
    rounding: int = 1,
) -> tuple[Array, Array, Array]:
    """All T steps: currents [T·N, ...] to spikes [T·N, ...] and both final states [N, ...]."""
    currents, theta, leak, v_init, s_init = as_float32(currents, theta, leak, v_init, s_init)
    last = int(timesteps) - 1

    def one_step(t: int, current: Array, v: Array, s: Array) -> tuple[Array, Array, Array]:
        rounds = bool(rounding) and t == last
        return step(v, s, current, theta, leak, gated=bool(gated), rounds=rounds)

    spikes, v, s = simulate(currents, timesteps, [v_init, s_init], one_step)
    return spikes, v, s


SPEC = OPS.register("CalciumIntegrateFire")(
    OpSpec(
        name="CalciumIntegrateFire",
        since_version=1,
        summary="Calcium-gated bipolar leaky neurons, with a rounding row at the window's end.",
        definition=(
            "The Ca-LIF neuron of Gao 2023. For t = 0 … T−1, elementwise, in float32:\n\n"
            "    v ← (v + I(t)) − leak\n"
            "    s(t) = +1 where v ≥ theta\n"
            "           −1 where v ≤ −theta and (S > 0 or not gated)\n"
            "            0 elsewhere\n"
            "    v ← v − theta·s(t)\n"
            "    S ← S + s(t)\n\n"
            "The tracer S is the paper's calcium: the signed count of spikes. The leak acts at "
            "every step, at negative potentials too, and carries the bias: −b per step.\n\n"
            "With `rounding` = 1 the last of the T rows is the paper's rounding phase: there is no "
            "leak, and the thresholds are theta/2 and −theta/2 (a spike still costs theta). T − 1 "
            "steps of the code come before it, in which the encoder must have finished; rounding "
            "spikes reach the following layers within that row. A window is cut for streaming by "
            "giving all parts but the last `rounding` = 0.\n\n"
            "The potential keeps the books: theta·Σs = ΣI − (T − rounding)·leak + v_init − "
            "v_final. The rounding row brings a potential within 3·theta/2 of zero to within "
            "theta/2 of it, as far as the gate allows; a larger one needs more than one spike. "
            "The paper's pooling neuron has gated = 0, leak = 0 and theta = number of places."
        ),
        inputs=(
            CURRENT,
            THETA,
            Param("leak", "broadcastable to one sample", "subtracted in every ordinary step"),
            V_INIT,
            S_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=SIGNED_OUTPUTS,
        attributes=(
            Attr("gated", "int", "1: no negative spike unless S > 0; 0: always", default=1),
            Attr("rounding", "int", "1: the last row is the rounding row; 0: none", default=1),
        ),
        is_population=True,
        needs_whole_window=lambda attributes: attributes["rounding"] == 1,
        window=window,
        infer_shapes=two_states,
        body=window_shapes("I")
        + flattened("theta", "leak", "v_init", "s_init")
        + CURRENT_ROWS
        + """
  zero = Constant <value_float = 0.0> ()
  half = Constant <value_float = 0.5> ()
  one = Constant <value_float = 1.0> ()
  gated_flag = Constant <value_int: int = @gated> ()
  gated_bool = Cast <to = 9> (gated_flag)
  free = Not (gated_bool)
  first = Constant <value_int = 0> ()
  next = Constant <value_int = 1> ()
  numbers = Range (first, T, next)
  last = Sub (T, next)
  is_last = Equal (numbers, last)
  last_rows = Cast <to = 7> (is_last)
  rounding_flag = Constant <value_int: int = @rounding> ()
  rounding_numbers = Mul (last_rows, rounding_flag)
  rounding_rows = Cast <to = 1> (rounding_numbers)
  v_last, s_last, spike_rows = Scan <num_scan_inputs = 2, body = one_step
    (float[?] v, float[?] s, float[?] current, float rounds)
    => (float[?] v_next, float[?] s_next, float[?] spike) {
      leaks = Sub (one, rounds)
      drain = Mul (leak_flat, leaks)
      v_charged = Add (v, current)
      v_up = Sub (v_charged, drain)
      cut = Mul (half, rounds)
      share = Sub (one, cut)
      limit = Mul (theta_flat, share)
      lower_limit = Neg (limit)
      up = GreaterOrEqual (v_up, limit)
      low = LessOrEqual (v_up, lower_limit)
      calcium = Greater (s, zero)
      may_fall = Or (calcium, free)
      down = And (low, may_fall)"""
        + FIRE_SIGNED
        + """
    }> (v_init_flat, s_init_flat, current_rows, rounding_rows)"""
        + spikes_and_states("v", "s"),
    )
)
