"""SpikeMaxPool: the exact max pool of a rate code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from onnx2snn_runtime.opspec import (
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
    window_shapes,
)
from onnx2snn_runtime.windows import POOL_ATTRIBUTES, pooled_shapes, window_maximum


def step(
    counts: Array,
    spikes: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
) -> tuple[Array, Array]:
    """One time step: how much the window's largest count grows, and the counts after it."""
    after = counts + spikes
    before = window_maximum(counts, kernel_shape, strides, pads)
    return window_maximum(after, kernel_shape, strides, pads) - before, after


def window(
    spikes: Array,
    count_init: Array,
    timesteps: Array,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
) -> tuple[Array, Array]:
    """All T steps: spikes [T·N, C, ...] to pooled spikes and the final counts [N, C, ...]."""
    spikes, count_init = as_float32(spikes, count_init)
    rows = split_time(spikes, int(timesteps))
    counts = np.broadcast_to(count_init, rows.shape[1:])
    pooled = []
    for row in rows:
        out, counts = step(counts, row, kernel_shape, strides, pads)
        pooled.append(out)
    return merge_time(np.stack(pooled)), counts


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """As ONNX MaxPool with explicit padding; the counts are shaped as one step of spikes."""
    pooled, one_step = pooled_shapes(shapes[0], attributes)
    return pooled, (one_step[0], *shapes[0][1:])


SPEC = OPS.register("SpikeMaxPool")(
    OpSpec(
        name="SpikeMaxPool",
        since_version=1,
        summary="Max pool of a rate code: the window's busiest neuron speaks.",
        definition=(
            "Each input neuron's spikes are counted. With P(t) the largest count in a window "
            "after step t:\n\n"
            "    count ← count + spikes(t)\n"
            "    pooled(t) = P(t) − P(t−1)        (padding never wins)\n\n"
            "Counts grow by 0 or 1, so the output is 0 or 1 again, and its sum over the window is "
            "exactly the max pool of the input's sums. The maximum of each step's spikes would "
            "overestimate it."
        ),
        inputs=(
            Param("spikes", "[T·N, C, ...]", "0 or 1, time-major"),
            Param("count_init", "broadcastable to [N, C, ...]", "spikes counted before step 0"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("pooled", "[T·N, C, ...]", "0 or 1"),
            Param("count_final", "[N, C, ...]", "spikes counted after step T−1"),
        ),
        attributes=POOL_ATTRIBUTES,
        window=window,
        infer_shapes=infer_shapes,
        body=window_shapes("spikes")
        + """
  first = Constant <value_ints = [0]> ()
  shape = Shape (spikes)
  before_first = Expand (count_init, sample_shape)
  spike_rows = Reshape <allowzero = 1> (spikes, window_shape)
  zero_axis = Constant <value_int = 0> ()
  grown_rows = CumSum (spike_rows, zero_axis)
  before_flat = Reshape <allowzero = 1> (before_first, flat)
  count_rows = Add (grown_rows, before_flat)
  counts = Reshape <allowzero = 1> (count_rows, shape)
  all_counts = Concat <axis = 0> (before_first, counts)
  largest = MaxPool <kernel_shape: ints = @kernel_shape, strides: ints = @strides,
                     pads: ints = @pads> (all_counts)
  all_rows = Add (rows, samples)
  after = Slice (largest, samples, all_rows, first)
  before = Slice (largest, first, rows, first)
  pooled = Sub (after, before)
  last_start = Sub (rows, samples)
  count_final = Slice (counts, last_start, rows, first)""",
    )
)
