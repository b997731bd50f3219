"""DirectEncode: the analog value as a constant current at every time step."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.encoders import VALUES, grown
from onnx2snn_runtime.opspec import OPS, TIMESTEPS_PARAM, Array, OpSpec, Param
from onnx2snn_runtime.statements import STEPS


def step(x: Array) -> Array:
    """The current of one time step: the value itself."""
    return x


def window(x: Array, timesteps: Array) -> tuple[Array]:
    """[N, ...] to [T·N, ...]: row t·N + n is sample n."""
    steps = [step(x) for _ in range(int(timesteps))]
    return (np.concatenate(steps, axis=0),)


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
            VALUES,
            TIMESTEPS_PARAM,
        ),
        outputs=(Param("currents", "[T·N, ...]", "the values, repeated, time-major"),),
        attributes=(),
        window=window,
        infer_shapes=grown,
        body=STEPS
        + """
  tail = Shape <start = 1> (X)
  rank = Shape (tail)
  ones = ConstantOfShape <value = int64[1] {1}> (rank)
  repeats = Concat <axis = 0> (steps, ones)
  currents = Tile (X, repeats)""",
    )
)
