"""The readout."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import Draft
from onnx2snn_runtime.counts.rule import RULES
from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.time_axis import READOUT, attributes_of


@RULES.register(READOUT)
def decode(draft: Draft, node: onnx.NodeProto) -> None:
    """The sum is there already; the mean is its T-th part."""
    given = attributes_of(node, OPS.get(READOUT))
    values, acc_init, t_init, _ = node.input
    if values not in draft.timed:
        raise draft.refusal(node, "what it reads has no rows")
    if np.any(draft.known(acc_init, node)) or np.any(draft.known(t_init, node)):
        raise draft.refusal(node, "it does not begin at zero")
    if given["cumulative"]:
        raise draft.refusal(node, "it answers after every step")
    if given["delay"]:
        raise draft.refusal(node, "it leaves steps out")
    if given["mode"] not in ({"radix"} if draft.radix else {"sum", "mean"}):
        raise draft.refusal(node, f"mode '{given['mode']}' reads no sum")
    if values in draft.wide:
        values = draft.add("Cast", [values], f"{node.output[0]}.sum", to=1)
    if given["mode"] == "mean":
        steps = draft.constant(draft.timesteps, f"{node.output[0]}.steps")
        draft.add("Div", [values, steps], node.output[0])
    else:
        draft.add("Identity", [values], node.output[0])
