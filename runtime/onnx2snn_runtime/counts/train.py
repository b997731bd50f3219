"""Encoders without a rule of their own: their whole train, added up."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import Draft
from onnx2snn_runtime.opspec import DOMAIN, OPS
from onnx2snn_runtime.time_axis import READOUT


def add_train(draft: Draft, node: onnx.NodeProto) -> None:
    """Append an encoder as it is, and a readout that sums its rows."""
    encoder, total = draft.copy(node), node.output[0]
    encoder.output[0] = f"{total}.train"
    given = {"I": encoder.output[0], "T": node.input[-1]}
    given["acc_init"] = draft.constant(np.zeros(1), f"{total}.acc_init")
    given["t_init"] = draft.constant(np.zeros(()), f"{total}.t_init", np.int64)
    spec = OPS.get(READOUT)
    draft.add(
        READOUT,
        [given[p.name] for p in spec.inputs],
        total,
        domain=DOMAIN,
        more_outputs=tuple(f"{total}.{p.name}" for p in spec.outputs[1:]),
        **spec.defaults() | {"mode": "radix" if draft.radix else "sum"},
    )
