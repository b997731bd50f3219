"""SpikeAveragePool: an average pool with integrate-and-fire neurons of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from onnx2snn_runtime.ops.integrate_fire import step as integrate_fire_step
from onnx2snn_runtime.opspec import (
    DOMAIN,
    OPS,
    TIMESTEPS_PARAM,
    Array,
    AttributeValue,
    OpSpec,
    Param,
    Shape,
    as_float32,
    merge_time,
    split_time,
)
from onnx2snn_runtime.windows import POOL_ATTRIBUTES, pooled_shapes, window_sum


def step(
    v: Array,
    spikes: Array,
    theta: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
) -> tuple[Array, Array]:
    """One time step: sum the window's spikes, integrate, fire at ``theta``, subtract it."""
    return integrate_fire_step(
        v, window_sum(spikes, kernel_shape, strides, pads), theta, "subtract"
    )


def window(
    spikes: Array,
    theta: Array,
    v_init: Array,
    timesteps: Array,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
) -> tuple[Array, Array]:
    """All T steps: spikes [T·N, C, ...] to pooled spikes and the final potential [N, C, ...]."""
    spikes, theta, v_init = as_float32(spikes, theta, v_init)
    rows = split_time(spikes, int(timesteps))
    out_shape = window_sum(rows[0], kernel_shape, strides, pads).shape
    v = np.broadcast_to(v_init, out_shape)
    out = np.empty((rows.shape[0], *out_shape), dtype=np.float32)
    for t, row in enumerate(rows):
        out[t], v = step(v, row, theta, kernel_shape, strides, pads)
    return merge_time(out), v


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """As ONNX AveragePool; the potential is shaped as one step of the output."""
    return pooled_shapes(shapes[0], attributes)


SPEC = OPS.register("SpikeAveragePool")(
    OpSpec(
        name="SpikeAveragePool",
        since_version=1,
        summary="Average pool whose output is spikes again: one neuron for each window.",
        definition=(
            "The neuron integrates the number of spikes in its window and fires at `theta`, "
            "which is the number of places averaged (k² for a k×k pool without uneven borders):"
            "\n\n"
            "    v ← v + Σ_window spikes(t)        (padding is silent)\n"
            "    s(t) = 1 where v ≥ theta, else 0\n"
            "    v ← v − theta·s(t)\n\n"
            "Potential and threshold are counted in input spikes, so the arithmetic is exact: no "
            "1/k² appears. Input spikes are integers (0 or 1). The output spike stands for the "
            "same amplitude as an input spike (Gao 2023, pooling neuron)."
        ),
        inputs=(
            Param("spikes", "[T·N, C, ...]", "0 or 1, time-major"),
            Param("theta", "broadcastable to one sample", "number of places averaged"),
            Param("v_init", "broadcastable to [N, C, ...]", "potential before step 0"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("pooled", "[T·N, C, ...]", "0 or 1"),
            Param("v_final", "[N, C, ...]", "potential after step T−1"),
        ),
        attributes=POOL_ATTRIBUTES,
        is_population=True,
        window=window,
        infer_shapes=infer_shapes,
        calls=("IntegrateFire",),
        body=f"""
  places_int = Constant <value_ints: ints = @kernel_shape> ()
  places = ReduceProd <keepdims = 1> (places_int)
  places_float = Cast <to = 1> (places)
  mean = AveragePool <kernel_shape: ints = @kernel_shape, strides: ints = @strides,
                      pads: ints = @pads, count_include_pad = 1> (spikes)
  sum_near = Mul (mean, places_float)
  sum = Round (sum_near)
  pooled, v_final = {DOMAIN}.IntegrateFire <reset = "subtract"> (sum, theta, v_init, T)""",
    )
)
