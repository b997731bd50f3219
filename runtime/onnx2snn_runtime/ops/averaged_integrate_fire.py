"""AveragedIntegrateFire: every step integrates the window's mean current (ASG, Yan 2022)."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.opspec import (
    OPS,
    TIMESTEPS_PARAM,
    Array,
    OpSpec,
    always,
    as_float32,
    merge_time,
    split_time,
)
from onnx2snn_runtime.populations import (
    BINARY_OUTPUTS,
    CURRENT,
    CURRENT_ROWS,
    THETA,
    V_INIT,
    fire,
    one_state,
)
from onnx2snn_runtime.statements import flattened, window_shapes


def step(v: Array, total: Array, theta: Array) -> tuple[Array, Array]:
    """One time step of float64 neurons, all in units T times as fine as the current's.

    Args:
        v: T times the membrane potential before the step, [N, ...].
        total: sum of the window's currents, T times their mean.
        theta: T times the threshold.

    Returns:
        spikes (0 or 1) and T times the membrane potential after the step.
    """
    return fire(v + total, theta, "subtract")


def window(currents: Array, theta: Array, v_init: Array, timesteps: Array) -> tuple[Array, Array]:
    """All T steps: currents [T·N, ...] to spikes [T·N, ...] and the final potential [N, ...]."""
    currents, theta, v_init = as_float32(currents, theta, v_init)
    rows = split_time(currents, int(timesteps))
    factor = np.float64(rows.shape[0])
    total = np.zeros(rows.shape[1:], dtype=np.float64)
    for current in rows:
        total = total + current
    v = np.broadcast_to(factor * v_init, total.shape)
    spikes = np.empty_like(rows)
    for t in range(rows.shape[0]):
        spikes[t], v = step(v, total, factor * theta)
    return merge_time(spikes), (v / factor).astype(np.float32)


SPEC = OPS.register("AveragedIntegrateFire")(
    OpSpec(
        name="AveragedIntegrateFire",
        since_version=1,
        summary="Integrate-and-fire neurons driven by the window's mean current: even spikes.",
        definition=(
            "The averaging spike generation (ASG) of Yan 2022, algorithm 1. The neuron waits for "
            "the whole window, so layers follow each other one window apart. Elementwise, in "
            "float64, with all potentials in units T times as fine, so that nothing is divided:"
            "\n\n"
            "    total = I(0) + … + I(T−1)             (in this order)\n"
            "    v ← T·v_init\n"
            "    for t = 0 … T−1:\n"
            "        v ← v + total\n"
            "        s(t) = 1 where v ≥ T·theta, else 0\n"
            "        v ← v − T·theta where s(t) = 1    (≥ for both; the paper resets at >)\n"
            "    v_final = v / T, in float32\n\n"
            "For 0 ≤ v_init < theta the count is clip(⌊(ΣI + v_init) / theta⌋, 0, T), whatever "
            "the order of the currents, and the spikes are spread evenly. Integer-valued currents "
            "give it exactly as long as T·(|ΣI| + theta) < 2^53."
        ),
        inputs=(
            CURRENT,
            THETA,
            V_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=BINARY_OUTPUTS,
        attributes=(),
        is_population=True,
        needs_whole_window=always,
        window=window,
        infer_shapes=one_state,
        body=window_shapes("I")
        + flattened("theta", "v_init")
        + CURRENT_ROWS
        + """
  nothing = ConstantOfShape <value = double[1] {0.0}> (flat)
  total = Scan <num_scan_inputs = 1, body = sum_up
    (double[?] sum, float[?] current) => (double[?] sum_next) {
      wide_current = Cast <to = 11> (current)
      sum_next = Add (sum, wide_current)
    }> (nothing, current_rows)
  factor = Cast <to = 11> (steps)
  theta_wide = Cast <to = 11> (theta_flat)
  theta_scaled = Mul (theta_wide, factor)
  v_wide = Cast <to = 11> (v_init_flat)
  v_scaled = Mul (v_wide, factor)
  ticks = ConstantOfShape <value = float[1] {0.0}> (steps)
  v_last, spike_rows = Scan <num_scan_inputs = 1, body = one_step
    (double[?] v, float tick) => (double[?] v_next, float[?] spike) {
      v_up = Add (v, total)
      fired = GreaterOrEqual (v_up, theta_scaled)
      spike = Cast <to = 1> (fired)
      v_less = Sub (v_up, theta_scaled)
      v_next = Where (fired, v_less, v_up)
    }> (v_scaled, ticks)
  spikes = Reshape <allowzero = 1> (spike_rows, shape)
  v_mean = Div (v_last, factor)
  v_narrow = Cast <to = 1> (v_mean)
  v_final = Reshape <allowzero = 1> (v_narrow, sample_shape)""",
    )
)
