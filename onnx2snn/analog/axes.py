"""Operators that work along axes: the batch must not be among them."""

from __future__ import annotations

from functools import partial

import onnx_graphsurgeon as gs

from onnx2snn.analog.base import ANALOG
from onnx2snn.graphs import constant, input_at, rank
from onnx2snn.linear.reduce import reduced_axes

MIXES = "it works along the batch axis"
REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
#: The axis of each operator where none is given.
DEFAULT_AXES = {
    "ArgMax": 0, "ArgMin": 0, "Hardmax": -1, "LayerNormalization": -1, "LogSoftmax": -1,
    "LpNormalization": -1, "RMSNormalization": -1, "Softmax": -1, "TopK": -1,
}  # fmt: skip


def along_one(node: gs.Node, default: int) -> str | None:
    """One axis, an attribute."""
    return _judge(node, [int(node.attrs.get("axis", default))])


for _op, _axis in DEFAULT_AXES.items():
    ANALOG.register(_op)(partial(along_one, default=_axis))


@ANALOG.register("CumSum")
def along_given(node: gs.Node) -> str | None:
    """One axis, an input."""
    axis = constant(input_at(node, 1))
    return "its axis is computed" if axis is None else _judge(node, [int(axis.reshape(()))])


@ANALOG.register("MeanVarianceNormalization")
def along_several(node: gs.Node) -> str | None:
    """Several axes, an attribute that names the batch by default."""
    return _judge(node, [int(a) for a in node.attrs.get("axes", (0, 2, 3))])


@ANALOG.register(*REDUCTIONS)
def reduction(node: gs.Node) -> str | None:
    """Several axes, an input or an attribute, all by default."""
    axes = reduced_axes(node)
    return "its axes are computed" if axes is None else _judge(node, axes)


def _judge(node: gs.Node, axes: list[int]) -> str | None:
    ndim = rank(node.inputs[0])
    if ndim is None:
        return "the number of its axes is unknown"
    return MIXES if 0 in {a % ndim for a in axes} else None
