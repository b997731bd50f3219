"""IntegrateFire: the plain integrate-and-fire neuron with soft or hard reset."""

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
    v = v + current
    fired = v >= theta
    after = v - theta if reset == "subtract" else np.zeros_like(v)
    return fired.astype(np.float32), np.where(fired, after, v)


def window(
    currents: Array, theta: Array, v_init: Array, timesteps: Array, *, reset: str = "subtract"
) -> tuple[Array, Array]:
    """All T steps: currents [T·N, ...] to spikes [T·N, ...] and the final potential [N, ...]."""
    currents, theta, v_init = as_float32(currents, theta, v_init)
    rows = split_time(currents, int(timesteps))
    v = np.broadcast_to(v_init, rows.shape[1:])
    spikes = np.empty_like(rows)
    for t, current in enumerate(rows):
        spikes[t], v = step(v, current, theta, reset)
    return merge_time(spikes), v


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Spikes are shaped as the currents, the potential as one step of them."""
    current = shapes[0]
    return current, (samples_axis(current[0] if current else None), *current[1:])


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
            Param("I", "[T·N, ...]", "input current, time-major"),
            Param("theta", "broadcastable to one sample", "threshold, finite and positive"),
            Param("v_init", "broadcastable to [N, ...]", "membrane potential before step 0"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("spikes", "[T·N, ...]", "0 or 1"),
            Param("v_final", "[N, ...]", "membrane potential after step T−1"),
        ),
        attributes=(
            Attr(
                "reset",
                "string",
                "what a spike does to the potential",
                default="subtract",
                choices=("subtract", "zero"),
            ),
        ),
        is_population=True,
        window=window,
        infer_shapes=infer_shapes,
        body=text_choice("reset", "subtract")
        + window_shapes("I")
        + """
  shape = Shape (I)
  current_rows = Reshape <allowzero = 1> (I, window_shape)
  theta_map = Expand (theta, sample_shape)
  theta_flat = Reshape <allowzero = 1> (theta_map, flat)
  v_map = Expand (v_init, sample_shape)
  v_flat = Reshape <allowzero = 1> (v_map, flat)
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
    }>
  spikes = Reshape <allowzero = 1> (spike_rows, shape)
  v_final = Reshape <allowzero = 1> (v_last, sample_shape)""",
    )
)
