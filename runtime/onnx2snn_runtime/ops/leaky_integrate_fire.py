"""LeakyIntegrateFire: integrate-and-fire neurons that lose charge at every step."""

from __future__ import annotations

from onnx2snn_runtime.opspec import OPS, TIMESTEPS_PARAM, Array, OpSpec, Param, as_float32, choice
from onnx2snn_runtime.populations import (
    BINARY_OUTPUTS,
    CURRENT,
    CURRENT_ROWS,
    RESET,
    THETA,
    V_INIT,
    fire,
    one_state,
    simulate,
    spikes_and_states,
)
from onnx2snn_runtime.statements import flattened, text_choice, window_shapes


def step(
    v: Array, current: Array, theta: Array, leak: Array, leak_mode: str, reset: str
) -> tuple[Array, Array]:
    """One time step of float32 neurons.

    Args:
        v: membrane potential before the step, shape of one step's current.
        current: input current of the step, [N, ...].
        theta: threshold, broadcastable against ``current``.
        leak: what is lost (linear) or the share that is kept (factor), broadcastable likewise.
        leak_mode: "linear" or "factor".
        reset: "subtract" or "zero".

    Returns:
        spikes (0 or 1) and the membrane potential after the step.
    """
    v = v + current - leak if leak_mode == "linear" else leak * v + current
    return fire(v, theta, reset)


def window(
    currents: Array,
    theta: Array,
    leak: Array,
    v_init: Array,
    timesteps: Array,
    *,
    leak_mode: str = "linear",
    reset: str = "subtract",
) -> tuple[Array, Array]:
    """All T steps: currents [T·N, ...] to spikes [T·N, ...] and the final potential [N, ...]."""
    currents, theta, leak, v_init = as_float32(currents, theta, leak, v_init)

    def one_step(t: int, current: Array, v: Array) -> tuple[Array, Array]:
        return step(v, current, theta, leak, leak_mode, reset)

    spikes, v = simulate(currents, timesteps, [v_init], one_step)
    return spikes, v


SPEC = OPS.register("LeakyIntegrateFire")(
    OpSpec(
        name="LeakyIntegrateFire",
        since_version=1,
        summary="Leaky integrate-and-fire neurons: linear leak or decay, soft or hard reset.",
        definition=(
            "For t = 0 … T−1, elementwise, in float32:\n\n"
            '    v ← (v + I(t)) − leak   (leak_mode = "linear")\n'
            '    v ← leak·v + I(t)       (leak_mode = "factor")\n'
            "    s(t) = 1 where v ≥ theta, else 0\n"
            '    v ← v − theta where s(t) = 1   (reset = "subtract")\n'
            '    v ← 0         where s(t) = 1   (reset = "zero")\n\n'
            "The linear leak is that of Gao 2023, eq. 2: it acts at every step, at negative "
            "potentials too, and may be negative, so that it can carry a bias. With it and "
            'reset = "subtract" the potential keeps the books: '
            "theta·Σs = ΣI − T·leak + v_init − v_final. A factor is the share of the potential "
            "that is left after a step, exp(−Δt/τ) of a membrane with time constant τ."
        ),
        inputs=(
            CURRENT,
            THETA,
            Param("leak", "broadcastable to one sample", "lost, or the share kept, in each step"),
            V_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=BINARY_OUTPUTS,
        attributes=(
            choice(
                "leak_mode", "whether the leak is subtracted or is a factor", "linear", "factor"
            ),
            RESET,
        ),
        is_population=True,
        window=window,
        infer_shapes=one_state,
        body=text_choice("leak_mode", "linear")
        + text_choice("reset", "subtract")
        + window_shapes("I")
        + flattened("theta", "leak", "v_init")
        + CURRENT_ROWS
        + """
  is_linear = Cast <to = 9> (leak_mode_is_linear)
  one = Constant <value_floats = [1.0]> ()
  zero = Constant <value_floats = [0.0]> ()
  keep = Where (is_linear, one, leak_flat)
  drain = Where (is_linear, leak_flat, zero)
  v_last, spike_rows = Scan <num_scan_inputs = 1, body = one_step
    (float[?] v, float[?] current) => (float[?] v_next, float[?] spike) {
      v_kept = Mul (v, keep)
      v_charged = Add (v_kept, current)
      v_up = Sub (v_charged, drain)
      fired = GreaterOrEqual (v_up, theta_flat)
      spike = Cast <to = 1> (fired)
      v_less = Sub (v_up, theta_flat)
      v_after = Mul (v_less, reset_is_subtract)
      v_next = Where (fired, v_after, v_up)
    }> (v_init_flat, current_rows)"""
        + spikes_and_states("v"),
    )
)
