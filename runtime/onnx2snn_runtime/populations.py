"""Neuron populations: what the integrate-and-fire ops share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from onnx2snn_runtime.opspec import (
    Array,
    AttributeValue,
    Param,
    Shape,
    choice,
    merge_time,
    split_time,
    unknown_rows,
)
from onnx2snn_runtime.statements import final_states

CURRENT = Param("I", "[T·N, ...]", "input current, time-major")
THETA = Param("theta", "broadcastable to one sample", "threshold, finite and positive")
V_INIT = Param("v_init", "broadcastable to [N, ...]", "membrane potential before step 0")
S_INIT = Param("s_init", "broadcastable to [N, ...]", "tracer before step 0")

#: Outputs of neurons that keep a membrane potential, and of those that keep a tracer too.
BINARY_OUTPUTS = (
    Param("spikes", "[T·N, ...]", "0 or 1"),
    Param("v_final", "[N, ...]", "membrane potential after step T−1"),
)
SIGNED_OUTPUTS = (
    Param("spikes", "[T·N, ...]", "−1, 0 or 1"),
    Param("v_final", "[N, ...]", "membrane potential after step T−1"),
    Param("s_final", "[N, ...]", "tracer after step T−1"),
)

RESET = choice("reset", "what a spike does to the potential", "subtract", "zero")


def fire(v: Array, theta: Array, reset: str) -> tuple[Array, Array]:
    """Binary neurons after their charge: spikes (0 or 1, float32) and the potential after them.

    Args:
        v: membrane potential with the step's current, [N, ...].
        theta: threshold, broadcastable against ``v``.
        reset: "subtract" (soft) or "zero" (hard).
    """
    fired = v >= theta
    after = v - theta if reset == "subtract" else np.zeros_like(v)
    return fired.astype(np.float32), np.where(fired, after, v)


def fire_signed(
    v: Array, s: Array, theta: Array, up: Array, down: Array
) -> tuple[Array, Array, Array]:
    """Signed neurons after their charge, with soft reset.

    Args:
        v: membrane potential with the step's current, [N, ...].
        s: tracer before the step.
        theta: what a spike costs, broadcastable against ``v``.
        up: where a positive spike is given, bool.
        down: where a negative one is.

    Returns:
        spikes (−1, 0 or 1, float32), the membrane potential and the tracer after the step.
    """
    spikes = up.astype(np.float32) - down.astype(np.float32)
    return spikes, v - theta * spikes, s + spikes


def simulate(
    currents: Array, timesteps: Array, states: Sequence[Array], step: Callable[..., Sequence[Array]]
) -> tuple[Array, ...]:
    """All T steps of float32 neurons.

    Args:
        currents: [T·N, ...].
        timesteps: T, a scalar.
        states: before step 0, each broadcastable to [N, ...].
        step: the step's number, its current and the states before it in; the spikes and the
            states after it out.

    Returns:
        spikes [T·N, ...] and the final states [N, ...].
    """
    rows = split_time(currents, int(timesteps))
    now: Sequence[Array] = [np.broadcast_to(state, rows.shape[1:]) for state in states]
    spikes = np.empty_like(rows)
    for t, current in enumerate(rows):
        spikes[t], *now = step(t, current, *now)
    return merge_time(spikes), *now


def one_state(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Spikes are shaped as the currents, the state as one step of them."""
    return shapes[0], unknown_rows(shapes[0])


def two_states(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Spikes are shaped as the currents, both states as one step of them."""
    state = unknown_rows(shapes[0])
    return shapes[0], state, state


#: Body statements that set ``shape`` and ``current_rows`` [T, flat]; they need ``window_shape``.
CURRENT_ROWS = """
  shape = Shape (I)
  current_rows = Reshape <allowzero = 1> (I, window_shape)"""

#: :func:`fire_signed` inside a Scan body, from ``v_up``, ``s``, ``up`` and ``down``.
FIRE_SIGNED = """
      up_value = Cast <to = 1> (up)
      down_value = Cast <to = 1> (down)
      spike = Sub (up_value, down_value)
      spent = Mul (theta_flat, spike)
      v_next = Sub (v_up, spent)
      s_next = Add (s, spike)"""


def spikes_and_states(*states: str) -> str:
    """Body statements that set the outputs, from ``spike_rows`` and the states ``{name}_last``."""
    spikes = """
  spikes = Reshape <allowzero = 1> (spike_rows, shape)"""
    return spikes + final_states(*states)
