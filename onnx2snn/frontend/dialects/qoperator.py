"""QOperator: operators on integers, as onnxruntime writes and fuses them.

::

    QLinearConv(x, w, b)   ──▶   DQ(x) ─▶ Conv(·, DQ(w), DQ(b)) ─▶ Q

and likewise for the others. The operators that compute with integers in int32 and leave the
scales to nodes behind them (ConvInteger, MatMulInteger) are in ``integer_products.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect, qualified, refuse
from onnx2snn.frontend.pairs import Grid, append, dequantize, quantize
from onnx2snn.graphs import Array, constant, input_at, rank, remove, unique_name

REMEDY = "quantize the network in QDQ format"
POOL_ATTRIBUTES = (
    "auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides",
)  # fmt: skip
NCHW_FROM_NHWC, NHWC_FROM_NCHW = [0, 3, 1, 2], [0, 2, 3, 1]


@dataclass
class _Lowering:
    """One node on its way to float operators."""

    canonical: CanonicalGraph
    node: gs.Node

    @property
    def graph(self) -> gs.Graph:
        return self.canonical.graph

    def grid(self, index: int, axis: int | None = None) -> Grid:
        """The scale at input ``index`` and the zero point behind it."""
        scale = constant(input_at(self.node, index))
        zero_input = input_at(self.node, index + 1)
        zero = constant(zero_input)
        if scale is None or (zero is None and zero_input is not None):
            refuse(self.canonical, self.node, "a scale or zero point is computed", REMEDY)
        zero = np.zeros(scale.shape, self._integer_type()) if zero is None else zero
        if scale.size == 1 and zero.size == 1:
            return Grid(scale.reshape(()), zero.reshape(()))
        if axis is None or zero.size not in {1, scale.size}:
            refuse(self.canonical, self.node, "a scale differs where it should not", REMEDY)
        return Grid(scale.reshape(-1), np.broadcast_to(zero.reshape(-1), scale.size), axis)

    def read(self, index: int, axis: int | None = None) -> gs.Tensor:
        """The real values of input ``index``; its scale and zero point follow it."""
        grid = self.grid(index + 1, axis)
        name = f"{self.node.name}_dequantize_{index}"
        return dequantize(self.graph, name, self.node.inputs[index], grid)

    def read_bias(self, index: int, scale: Array) -> list[gs.Tensor]:
        """The real values of an int32 bias, if there is one."""
        source = input_at(self.node, index)
        if source is None:
            return []
        scale = scale.astype(np.float32)
        grid = Grid(scale, np.zeros(scale.shape, np.int32), 0 if scale.ndim else None)
        return [dequantize(self.graph, f"{self.node.name}_dequantize_bias", source, grid)]

    def write(self, op: str, inputs: list[gs.Tensor], out: int, **attrs: Any) -> None:
        """A float operator, and its quantizer with the scale at input ``out``, if there is one."""
        node = self.node
        result = node.outputs[0]
        if input_at(node, out) is not None:
            computed = gs.Variable(unique_name(self.graph, f"{node.name}_real"), np.float32)
            quantize(self.graph, f"{node.name}_quantize", computed, self.grid(out), result)
            result = computed
        result.dtype = np.dtype(np.float32)
        name = node.name
        remove(self.graph, node)
        self.graph.nodes.append(gs.Node(op, name, attrs, inputs=inputs, outputs=[result]))

    def append(self, op: str, inputs: list[gs.Tensor], **attrs: Any) -> gs.Tensor:
        """One more float operator in front of the one that is written."""
        name = f"{self.node.name}_{op.lower()}"
        return append(self.graph, op, name, inputs, attrs=attrs)

    def _integer_type(self) -> np.dtype[Any]:
        """Of a zero point that is left out: the type of any other, else uint8."""
        values = (constant(t) for t in self.node.inputs)
        kinds = (v.dtype for v in values if v is not None and v.dtype.kind in "iu" and not v.ndim)
        return next(kinds, np.dtype(np.uint8))


def _attributes(node: gs.Node, *names: str) -> dict[str, Any]:
    return {name: node.attrs[name] for name in names if name in node.attrs}


def _conv(it: _Lowering) -> None:
    x, w = it.read(0), it.read(3, axis=0)
    bias = it.read_bias(8, it.grid(1).scale * it.grid(4, axis=0).scale)
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    it.write("Conv", [x, w, *bias], 6, **_attributes(it.node, *names))


def _matmul(it: _Lowering) -> None:
    it.write("MatMul", [it.read(0), it.read(3, axis=-1)], 6)


def _gemm(it: _Lowering) -> None:
    axis = 0 if it.node.attrs.get("transB", 0) else 1
    a, b = it.read(0), it.read(3, axis=axis)
    alpha = np.float32(it.node.attrs.get("alpha", 1.0))
    bias = it.read_bias(6, alpha * it.grid(1).scale * it.grid(4, axis=axis).scale)
    it.write("Gemm", [a, b, *bias], 7, **_attributes(it.node, "alpha", "transA", "transB"))


def _binary(op: str) -> Callable[[_Lowering], None]:
    return lambda it: it.write(op, [it.read(0), it.read(3)], 6)


def _unary(op: str, *names: str) -> Callable[[_Lowering], None]:
    return lambda it: it.write(op, [it.read(0)], 3, **_attributes(it.node, *names))


def _concat(it: _Lowering) -> None:
    parts = [it.read(i) for i in range(2, len(it.node.inputs), 3)]
    it.write("Concat", parts, 0, **_attributes(it.node, "axis"))


def _softmax(it: _Lowering) -> None:
    axis, x = int(it.node.attrs.get("axis", -1)), it.read(0)
    ndim = rank(x)
    if (
        int(it.node.attrs.get("opset", 13)) >= 13
        or axis == -1
        or (ndim is not None and axis == ndim - 1)
    ):
        return it.write("Softmax", [x], 3, axis=axis)
    # Before opset 13 it took all axes from this one on together.
    flat, shape = it.append("Flatten", [x], axis=axis), it.append("Shape", [x])
    shape.dtype = np.dtype(np.int64)
    shares = it.append("Softmax", [flat], axis=-1)
    return it.write("Reshape", [shares, shape], 3)


def _max_pool(it: _Lowering) -> None:
    """Integers move through a pool as they are; ``integer_moves.py`` makes them real."""
    it.node.op, it.node.domain = "MaxPool", None


#: How to lower each operator, and the number of inputs that it has at least.
LOWERINGS: dict[str, tuple[Callable[[_Lowering], None], int]] = {
    "QLinearConv": (_conv, 8),
    "QLinearMatMul": (_matmul, 8),
    "com.microsoft:QLinearConv": (_conv, 8),
    "com.microsoft:QGemm": (_gemm, 6),
    "com.microsoft:QLinearAdd": (_binary("Add"), 7),
    "com.microsoft:QLinearMul": (_binary("Mul"), 7),
    "com.microsoft:QLinearAveragePool": (_unary("AveragePool", *POOL_ATTRIBUTES), 4),
    "com.microsoft:QLinearGlobalAveragePool": (_unary("GlobalAveragePool"), 4),
    "com.microsoft:NhwcMaxPool": (_max_pool, 1),
    "com.microsoft:QLinearConcat": (_concat, 5),
    "com.microsoft:QLinearLeakyRelu": (_unary("LeakyRelu", "alpha"), 4),
    "com.microsoft:QLinearSigmoid": (_unary("Sigmoid"), 4),
    "com.microsoft:QLinearSoftmax": (_softmax, 4),
}


def lower(canonical: CanonicalGraph) -> None:
    """Write every node as a float operator between quantizers."""
    for node in QOPERATOR.nodes_of(canonical):
        lowering, _ = LOWERINGS[qualified(node.domain, node.op)]
        if node.attrs.pop("channels_last", 0) or lowering is _max_pool:
            _to_channels_first(canonical.graph, node)
        lowering(_Lowering(canonical, node))


def _to_channels_first(graph: gs.Graph, node: gs.Node) -> None:
    """Transpose the integers around a node that works on NHWC; its weights are OIHW already."""
    before = gs.Variable(unique_name(graph, f"{node.name}_nchw"))
    after = gs.Variable(unique_name(graph, f"{node.name}_nchw_out"))
    inner = unique_name(graph, f"{node.name}_to_nchw")
    outer = unique_name(graph, f"{node.name}_to_nhwc")
    source, result = node.inputs[0], node.outputs[0]
    node.inputs[0], node.outputs = before, [after]
    graph.nodes += [
        gs.Node("Transpose", inner, {"perm": NCHW_FROM_NHWC}, [source], [before]),
        gs.Node("Transpose", outer, {"perm": NHWC_FROM_NCHW}, [after], [result]),
    ]


QOPERATOR = DIALECTS.register("qoperator")(
    Dialect("QOperator", {name: least for name, (_, least) in LOWERINGS.items()}, lower)
)
