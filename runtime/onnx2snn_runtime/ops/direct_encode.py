"""DirectEncode: the analog value as a constant current at every time step."""

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
)


def step(x: Array) -> Array:
    """The current of one time step: the value itself."""
    return x


def window(x: Array, timesteps: Array) -> tuple[Array]:
    """[N, ...] to [T·N, ...]: row t·N + n is sample n."""
    steps = [step(x) for _ in range(int(timesteps))]
    return (np.concatenate(steps, axis=0),)


def infer_shapes(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """Axis 0 grows T-fold; T is known at run time only."""
    x = shapes[0]
    return ((0 if x[:1] == (0,) else None, *x[1:]),)


SPEC = OPS.register("DirectEncode")(
    OpSpec(
        name="DirectEncode",
        since_version=1,
        summary="Constant coding: the analog value as a current at every time step.",
        definition=(
            "`currents[t·N + n] = X[n]` for t = 0 … T−1. The op commutes with every linear op, "
            "so it may stand behind the first linear layers, which are then computed once."
        ),
        inputs=(
            Param("X", "[N, ...]", "analog values"),
            TIMESTEPS_PARAM,
        ),
        outputs=(Param("currents", "[T·N, ...]", "the values, repeated, time-major"),),
        attributes=(),
        window=window,
        infer_shapes=infer_shapes,
        body="""
  axis = Constant <value_ints = [1]> ()
  steps = Reshape (T, axis)
  tail = Shape <start = 1> (X)
  rank = Shape (tail)
  ones = ConstantOfShape <value = int64[1] {1}> (rank)
  repeats = Concat <axis = 0> (steps, ones)
  currents = Tile (X, repeats)""",
    )
)
