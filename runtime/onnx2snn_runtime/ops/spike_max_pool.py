"""SpikeMaxPool: the exact max pool of a code that is spread over time."""

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
    choice,
    merge_time,
    split_time,
    unknown_rows,
)
from onnx2snn_runtime.statements import final_states, text_choice, window_shapes
from onnx2snn_runtime.windows import POOL_ATTRIBUTES, pooled_shapes, window_maximum

#: What the code so far is multiplied by before the next step's integers are added.
KEEP = {"count": 1.0, "radix": 2.0}


def step(
    counts: Array,
    spikes: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    code: str,
) -> tuple[Array, Array]:
    """One time step: what the code of the window's maximum says, and the codes after it."""
    keep = np.float32(KEEP[code])
    after = keep * counts + spikes
    before = window_maximum(counts, kernel_shape, strides, pads)
    return window_maximum(after, kernel_shape, strides, pads) - keep * before, after


def window(
    spikes: Array,
    count_init: Array,
    timesteps: Array,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    code: str = "count",
) -> tuple[Array, Array]:
    """All T steps: spikes [T·N, C, ...] to pooled spikes and the final codes [N, C, ...]."""
    spikes, count_init = as_float32(spikes, count_init)
    rows = split_time(spikes, int(timesteps))
    counts = np.broadcast_to(count_init, rows.shape[1:])
    pooled = []
    for row in rows:
        out, counts = step(counts, row, kernel_shape, strides, pads, code)
        pooled.append(out)
    return merge_time(np.stack(pooled)), counts


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """As ONNX MaxPool with explicit padding; the codes are shaped as one step of spikes."""
    pooled, _ = pooled_shapes(shapes[0], attributes)
    return pooled, unknown_rows(shapes[0])


SPEC = OPS.register("SpikeMaxPool")(
    OpSpec(
        name="SpikeMaxPool",
        since_version=1,
        summary="Max pool of a code in time: it speaks the largest code in each window.",
        definition=(
            "Each input neuron's integers build up a code. With P(t) the largest code in a window "
            "after step t, and P(−1) that of `count_init`:\n\n"
            "    count ← keep·count + spikes(t)       keep = 1 (count), 2 (radix)\n"
            "    pooled(t) = P(t) − keep·P(t−1)       (padding never wins)\n\n"
            "So the output has the code that is the max pool of the input's codes: with code = "
            '"count" the sum over the window, with "radix" the number whose digits come highest '
            "first. The maximum of each step's spikes would overestimate it. Spikes of 0 and 1 "
            "give 0 and 1 again, those of −1, 0 and 1 stay among these; any integers may come in, "
            "and codes below 2^24 are exact."
        ),
        inputs=(
            Param("spikes", "[T·N, C, ...]", "integers, such as −1, 0 or 1; time-major"),
            Param("count_init", "broadcastable to [N, C, ...]", "code before step 0"),
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("pooled", "[T·N, C, ...]", "integers"),
            Param("count_final", "[N, C, ...]", "code after step T−1"),
        ),
        attributes=(
            *POOL_ATTRIBUTES,
            choice("code", "how spikes speak", *KEEP),
        ),
        window=window,
        infer_shapes=infer_shapes,
        body=text_choice("code", "radix")
        + window_shapes("spikes")
        + """
  one = Constant <value_float = 1.0> ()
  keep = Add (one, code_is_radix)
  first = Constant <value_ints = [0]> ()
  shape = Shape (spikes)
  before_first = Expand (count_init, sample_shape)
  spike_rows = Reshape <allowzero = 1> (spikes, window_shape)
  before_flat = Reshape <allowzero = 1> (before_first, flat)
  count_last, count_rows = Scan <num_scan_inputs = 1, body = one_step
    (float[?] count, float[?] spike) => (float[?] count_next, float[?] count_row) {
      kept = Mul (count, keep)
      count_next = Add (kept, spike)
      count_row = Identity (count_next)
    }> (before_flat, spike_rows)
  counts = Reshape <allowzero = 1> (count_rows, shape)
  all_counts = Concat <axis = 0> (before_first, counts)
  largest = MaxPool <kernel_shape: ints = @kernel_shape, strides: ints = @strides,
                     pads: ints = @pads> (all_counts)
  all_rows = Add (rows, samples)
  after = Slice (largest, samples, all_rows, first)
  before = Slice (largest, first, rows, first)
  before_kept = Mul (before, keep)
  pooled = Sub (after, before_kept)"""
        + final_states("count"),
    )
)
