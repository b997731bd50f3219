"""MatMul of two computed tensors, as in attention."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.analog.base import ANALOG
from onnx2snn.graphs import data_inputs, rank
from onnx2snn.linear import LINEAR


@ANALOG.register("MatMul")
def matrix_product(node: gs.Node) -> str | None:
    """Each sample has its own pair of matrices, if both operands have a batch axis before them."""
    if len(data_inputs(node)) == 1:
        return LINEAR.get("MatMul").reason(node)
    ranks = {rank(t) for t in node.inputs}
    ndim = ranks.pop() if len(ranks) == 1 else None
    return None if ndim is not None and ndim > 2 else "it multiplies along the batch axis"
