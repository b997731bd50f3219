"""IntegrateFire: the plain integrate-and-fire neuron with soft or hard reset."""

from __future__ import annotations

from onnx2snn_runtime.opspec import OPS, TIMESTEPS_PARAM, Array, OpSpec, as_float32
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
from onnx2snn_runtime.statements import flattened, flattened_states, text_choice, window_shapes


def step(v: Array, current: Array, theta: Array, reset: str) -> tuple[Array, Array]:
    """One time step of float32 neurons.

    Args:
        v: membrane potential before the step, shape of one step's current.
        current: input current of the step, [N, ...].
        theta: threshold, broadcastable against ``current``.
        reset: "subtract" or "zero".

    Returns:
        spikes (0 or 1) and the membrane potential after the step.
    """
    return fire(v + current, theta, reset)


def window(
    currents: Array, theta: Array, v_init: Array, timesteps: Array, *, reset: str = "subtract"
) -> tuple[Array, Array]:
    """All T steps: currents [T·N, ...] to spikes [T·N, ...] and the final potential [N, ...]."""
    currents, theta, v_init = as_float32(currents, theta, v_init)
    spikes, v = simulate(
        currents, timesteps, [v_init], lambda t, current, v: step(v, current, theta, reset)
    )
    return spikes, v


SPEC = OPS.register("IntegrateFire")(
    OpSpec(
        name="IntegrateFire",
        since_version=1,
        summary="Integrate-and-fire neurons: binary spikes, soft or hard reset.",
        definition=(
            "For t = 0 … T−1, elementwise, in float32:\n\n"
            "    v ← v + I(t)\n"
            "    s(t) = 1 where v ≥ theta, else 0\n"
            '    v ← v − theta where s(t) = 1   (reset = "subtract")\n'
            '    v ← 0         where s(t) = 1   (reset = "zero")\n\n'
            'With reset = "subtract" the potential keeps the books: '
            "theta·Σs = ΣI + v_init − v_final (Li 2021, eq. 8)."
        ),
        inputs=(
            CURRENT,
            THETA,
            V_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=BINARY_OUTPUTS,
        attributes=(RESET,),
        is_population=True,
        window=window,
        infer_shapes=one_state,
        body=text_choice("reset", "subtract")
        + window_shapes("I")
        + CURRENT_ROWS
        + flattened("theta")
        + flattened_states("v")
        + """
  is_subtract = Cast <to = 9> (reset_is_subtract)
  is_subtract_scalar = Squeeze (is_subtract)
  v_last, spike_rows = If (is_subtract_scalar) <
    then_branch = subtract () => (v_last_subtract, spike_rows_subtract) {
      v_last_subtract, spike_rows_subtract = Scan <num_scan_inputs = 1, body = subtract_step
        (float[?] v, float[?] current) => (float[?] v_next, float[?] spike) {
          v_up = Add (v, current)
          fired = GreaterOrEqual (v_up, theta_flat)
          spike = Cast <to = 1> (fired)
          loss = Mul (theta_flat, spike)
          v_next = Sub (v_up, loss)
        }> (v_flat, current_rows)
    },
    else_branch = zero () => (v_last_zero, spike_rows_zero) {
      nothing = Constant <value_float = 0.0> ()
      v_last_zero, spike_rows_zero = Scan <num_scan_inputs = 1, body = zero_step
        (float[?] v_before, float[?] current_now) => (float[?] v_after, float[?] spike_now) {
          v_charged = Add (v_before, current_now)
          fires = GreaterOrEqual (v_charged, theta_flat)
          spike_now = Cast <to = 1> (fires)
          v_after = Where (fires, nothing, v_charged)
        }> (v_flat, current_rows)
    }>"""
        + spikes_and_states("v"),
    )
)
