"""QDQ: QuantizeLinear and DequantizeLinear around float operators.

This is the form to which every other quantized dialect is lowered, and ``quantizers.py`` tidies.
Two ways of writing it are lowered here:

- Below opset 21 onnxruntime has the quantizers of 16 and 4 bits in a domain of its own; their
  meaning is the same.
- Integers of less than 8 bits become integers of 8 bits, and a Clip in front of their quantizer::

      x ─▶ Q(int4) ─▶ DQ   ──▶   Clip(x) ─▶ Q(int8) ─▶ DQ
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect, refuse
from onnx2snn.frontend.pairs import Grid, clip
from onnx2snn.graphs import constant, input_at, new_constant, rank, set_input

PAIR = frozenset({"QuantizeLinear", "DequantizeLinear"})
#: Integers of less than 8 bits, and what holds them.
SMALL = {
    np.dtype(ml_dtypes.int2): np.dtype(np.int8),
    np.dtype(ml_dtypes.uint2): np.dtype(np.uint8),
    np.dtype(ml_dtypes.int4): np.dtype(np.int8),
    np.dtype(ml_dtypes.uint4): np.dtype(np.uint8),
}


def lower(canonical: CanonicalGraph) -> None:
    """Write every quantizer in ONNX's own domain, with a zero point, of 8 bits or more."""
    for node in QDQ.nodes_of(canonical):
        node.domain = None
        if node.op == "QuantizeLinear":
            _write_zero_point(canonical.graph, node)
            _clip_to_range(canonical, node)
        for i, tensor in enumerate(node.inputs):
            value = constant(tensor)
            if value is not None and value.dtype in SMALL:
                wide = value.astype(SMALL[value.dtype])
                node.inputs[i] = new_constant(canonical.graph, tensor.name, wide)


def _write_zero_point(graph: gs.Graph, node: gs.Node) -> None:
    """Without one the type of the integers stands in an attribute, or is uint8."""
    scale = constant(node.inputs[1])
    if input_at(node, 2) is not None or scale is None:
        return
    kind = int(node.attrs.pop("output_dtype", 0)) or onnx.TensorProto.UINT8
    zeros = np.zeros(scale.shape, onnx.helper.tensor_dtype_to_np_dtype(kind))
    set_input(node, 2, new_constant(graph, f"{node.name}_zero_point", zeros))


def _clip_to_range(canonical: CanonicalGraph, node: gs.Node) -> None:
    """Cut to the range of the integers, where they are smaller than those that will hold them."""
    scale, zero = constant(node.inputs[1]), constant(input_at(node, 2))
    if zero is None or zero.dtype.kind in "iu":
        return
    ndim, remedy = rank(node.inputs[0]), "quantize to 8 bits"
    if zero.dtype not in SMALL:
        refuse(canonical, node, f"a quantizer to {zero.dtype.name} is not supported", remedy)
    if scale is None or "block_size" in node.attrs or (scale.size > 1 and ndim is None):
        what = "a quantizer of less than 8 bits with computed or blocked scales is not supported"
        refuse(canonical, node, what, remedy)
    wide = zero.astype(SMALL[zero.dtype])
    if scale.size == wide.size == 1:
        grid = Grid(scale.reshape(()), wide.reshape(()))
    else:
        axis = int(node.attrs.get("axis", 1))
        grid = Grid(scale, wide, axis if axis < 0 else axis - (ndim or 0))
    info: Any = ml_dtypes.iinfo(zero.dtype)  # type: ignore[no-untyped-call]
    ends = (int(info.min), int(info.max))
    node.inputs[0] = clip(canonical.graph, f"{node.name}_clip", node.inputs[0], grid, ends)
    node.outputs[0].dtype = wide.dtype


QDQ = DIALECTS.register("qdq")(
    Dialect("QDQ", {f"{d}{op}": 2 for d in ("", "com.microsoft:") for op in PAIR}, lower)
)
