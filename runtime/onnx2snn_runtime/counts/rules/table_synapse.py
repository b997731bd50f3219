"""TableSynapse: what the table says of the code."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from onnx2snn_runtime.counts.draft import EXACT_DOUBLE, EXACT_FLOAT, Draft
from onnx2snn_runtime.counts.rule import RULES
from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.time_axis import attributes_of


@RULES.register("TableSynapse")
def look_up(draft: Draft, node: onnx.NodeProto) -> None:
    """F(c) − F(0)."""
    spikes, table_name, min_name, init_name, _ = node.input
    given = attributes_of(node, OPS.get("TableSynapse"))
    if (given["code"] == "radix") != draft.radix or np.any(draft.known(init_name, node)):
        raise draft.refusal(node, "its code is not that of this window alone")
    if spikes not in draft.sizes or spikes in draft.wide:
        raise draft.refusal(node, "its codes may not fit float32")
    lowest = int(draft.known(min_name, node).reshape(()))
    table = draft.known(table_name, node)
    changes = [int(value) - int(table[-lowest]) for value in table]
    size, output = max(map(abs, changes)), node.output[0]
    if size >= EXACT_DOUBLE:
        raise draft.refusal(node, "its currents may not fit float64")
    kind = np.float32 if size < EXACT_FLOAT else np.float64
    values = draft.constant(np.array(changes), f"{output}.changes", kind)
    first = draft.constant(-lowest, f"{output}.first", np.int64)
    code = draft.add("Cast", [spikes], f"{output}.code", to=TensorProto.INT64)
    place = draft.add("Add", [code, first], f"{output}.place")
    draft.add("Gather", [values, place], output, axis=0)
    draft.sizes[output] = size
    if kind is np.float64:
        draft.wide.add(output)
