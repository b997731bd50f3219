"""SignedIntegrateFire: a neuron that can take spikes back, with a tracer of those it gave."""

from __future__ import annotations

from onnx2snn_runtime.opspec import OPS, TIMESTEPS_PARAM, Array, OpSpec, Param, as_float32
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
    v: Array, s: Array, current: Array, theta: Array, s_min: Array, s_max: Array
) -> tuple[Array, Array, Array]:
    """One time step of float32 neurons.

    Args:
        v: membrane potential before the step, shape of one step's current.
        s: tracer before the step: spikes given minus spikes taken back.
        current: input current of the step, [N, ...].
        theta: threshold, broadcastable against ``current``.
        s_min: the tracer's lowest value, likewise.
        s_max: the tracer's highest value, likewise.

    Returns:
        spikes (−1, 0 or 1), the membrane potential and the tracer after the step.
    """
    v = v + current
    up = (v >= theta) & (s < s_max)
    down = (v < 0) & (s > s_min)
    return fire_signed(v, s, theta, up, down)


def window(
    currents: Array,
    theta: Array,
    s_min: Array,
    s_max: Array,
    v_init: Array,
    s_init: Array,
    timesteps: Array,
) -> tuple[Array, Array, Array]:
    """All T steps: currents [T·N, ...] to spikes [T·N, ...] and both final states [N, ...]."""
    currents, theta, s_min, s_max = as_float32(currents, theta, s_min, s_max)
    v_init, s_init = as_float32(v_init, s_init)

    def one_step(t: int, current: Array, v: Array, s: Array) -> tuple[Array, Array, Array]:
        return step(v, s, current, theta, s_min, s_max)

    spikes, v, s = simulate(currents, timesteps, [v_init, s_init], one_step)
    return spikes, v, s


SPEC = OPS.register("SignedIntegrateFire")(
    OpSpec(
        name="SignedIntegrateFire",
        since_version=1,
        summary="Signed integrate-and-fire neurons: a spike given too early is taken back.",
        definition=(
            "For t = 0 … T−1, elementwise, in float32:\n\n"
            "    v ← v + I(t)\n"
            "    s(t) = +1 where v ≥ theta and S < s_max\n"
            "           −1 where v < 0     and S > s_min\n"
            "            0 elsewhere\n"
            "    v ← v − theta·s(t)\n"
            "    S ← S + s(t)\n\n"
            "The tracer S is the signed count of spikes (as in SpikeZIP-TF, You 2024). The "
            "potential keeps the books: theta·Σs = ΣI + v_init − v_final. Once the input is "
            "silent and the neuron has stopped, S = clip(⌊(ΣI + v_init) / theta⌋, s_min, s_max) "
            "(from S = 0), whatever the order of the input; v_init = theta/2 rounds to the "
            "nearest. Where the sums are rounded (float32), a result near a tie can miss by one."
        ),
        inputs=(
            CURRENT,
            THETA,
            Param("s_min", "broadcastable to one sample", "lowest tracer, a whole number"),
            Param("s_max", "broadcastable to one sample", "highest tracer, a whole number"),
            V_INIT,
            S_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=SIGNED_OUTPUTS,
        attributes=(),
        is_population=True,
        window=window,
        infer_shapes=two_states,
        body=window_shapes("I")
        + flattened("theta", "s_min", "s_max", "v_init", "s_init")
        + CURRENT_ROWS
        + """
  zero = Constant <value_floats = [0.0]> ()
  v_last, s_last, spike_rows = Scan <num_scan_inputs = 1, body = one_step
    (float[?] v, float[?] s, float[?] current)
    => (float[?] v_next, float[?] s_next, float[?] spike) {
      v_up = Add (v, current)
      high = GreaterOrEqual (v_up, theta_flat)
      may_rise = Less (s, s_max_flat)
      up = And (high, may_rise)
      low = Less (v_up, zero)
      may_fall = Greater (s, s_min_flat)
      down = And (low, may_fall)"""
        + FIRE_SIGNED
        + """
    }> (v_init_flat, s_init_flat, current_rows)"""
        + spikes_and_states("v", "s"),
    )
)
