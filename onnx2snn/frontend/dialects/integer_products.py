"""Products of integers whose scales follow as float operators; dynamic quantization.

::

    x ─▶ DynamicQuantizeLinear ─▶ ConvInteger(·, w) ─▶ Cast ─▶ Mul(scale of x · scale of w)
        ──▶   Conv(x, DQ(w))

    x ─▶ QuantizeLinear ─▶ ConvInteger(·, w) ─▶ Cast ─▶ Mul(c)
        ──▶   x ─▶ Q ─▶ DQ ─▶ Conv(·, DQ(w) of scale c / scale of x)

MatMulInteger and onnxruntime's fused forms likewise. Weights stay quantized. A dynamic quantizer
takes its scale from each batch; neurons have fixed thresholds, so its activations become float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect, refuse
from onnx2snn.frontend.pairs import Grid, dequantize
from onnx2snn.graphs import (
    Array,
    constant,
    consumers,
    input_at,
    only_consumer,
    producer,
    remove,
    rewire,
    unique_name,
)
from onnx2snn.plan import Diagnostic

DYNAMIC = "DynamicQuantizeLinear"
PRODUCTS = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
FUSED_PRODUCT = "com.microsoft:MatMulIntegerToFloat"
DYNAMIC_PRODUCT = "com.microsoft:DynamicQuantizeMatMul"
REMEDY = "quantize the network statically, in QDQ format"


@dataclass(frozen=True)
class _Activation:
    """The real values behind the left operand, and the tensor or number of its scale."""

    real: gs.Tensor
    scale: gs.Tensor | None


def lower(canonical: CanonicalGraph) -> None:
    """Write every product as a float operator with quantized weights."""
    graph = canonical.graph
    nodes = INTEGER_PRODUCTS.nodes_of(canonical)
    _report(canonical, sum(n.op in {DYNAMIC, "DynamicQuantizeMatMul"} for n in nodes))
    for node in nodes:
        if node.op in PRODUCTS:
            _lower_product(canonical, node)
        elif node.op == "MatMulIntegerToFloat":
            left = _activation(canonical, node, node.inputs[0], input_at(node, 4))
            _check_scale(canonical, node, left)
            _write_matmul(canonical, node, left.real, scale_at=3, zero_at=5, bias_at=6)
        elif node.op == "DynamicQuantizeMatMul":
            _write_matmul(canonical, node, node.inputs[0], scale_at=2, zero_at=3, bias_at=4)
    for node in INTEGER_PRODUCTS.nodes_of(canonical):
        _pass_by(graph, node)
    graph.cleanup()
    for node in INTEGER_PRODUCTS.nodes_of(canonical):
        refuse(canonical, node, "what follows this dynamic quantizer is not supported", REMEDY)


def _lower_product(canonical: CanonicalGraph, node: gs.Node) -> None:
    graph = canonical.graph
    left = _activation(canonical, node, node.inputs[0], input_at(node, 2))
    factor, last = _following_factor(canonical, node, left.scale)
    weights = _weights(canonical, node, 1, factor, 3)
    name, attrs, result = node.name, node.attrs, last.outputs[0]
    last.outputs.clear()
    remove(graph, node)
    result.dtype = np.dtype(np.float32)
    op = PRODUCTS[node.op]
    graph.nodes.append(gs.Node(op, name, attrs, inputs=[left.real, weights], outputs=[result]))


def _activation(
    canonical: CanonicalGraph, node: gs.Node, integers: gs.Tensor, zero: gs.Tensor | None
) -> _Activation:
    maker = producer(integers)
    if maker is not None and maker.op == DYNAMIC:
        return _Activation(maker.inputs[0], maker.outputs[1])
    name = f"{node.name}_dequantize"
    if maker is not None and maker.op == "QuantizeLinear":
        scale, zero = maker.inputs[1], input_at(maker, 2)
        real = gs.Variable(unique_name(canonical.graph, f"{name}_real"), np.float32, integers.shape)
        inputs = [integers, scale, *([] if zero is None else [zero])]
        pair = gs.Node("DequantizeLinear", unique_name(canonical.graph, name), dict(maker.attrs))
        pair.inputs, pair.outputs = inputs, [real]
        canonical.graph.nodes.append(pair)
        return _Activation(real, scale)
    value = np.zeros((), np.uint8) if zero is None else constant(zero)
    if value is None or value.size != 1:
        refuse(canonical, node, "the zero point of its input is computed", REMEDY)
    grid = Grid(np.ones((), np.float32), value.reshape(()))
    return _Activation(dequantize(canonical.graph, name, integers, grid), None)


def _following_factor(
    canonical: CanonicalGraph, node: gs.Node, scale: gs.Tensor | None
) -> tuple[Array, gs.Node]:
    """What the product is multiplied with, without the input's scale; and the last node of it."""
    graph = canonical.graph
    last = only_consumer(graph, node.outputs[0])
    if last is None or last.op != "Cast" or last.attrs.get("to") not in {1, np.float32}:
        refuse(canonical, node, "no Cast to float follows this product of integers", REMEDY)
    factor: Array = np.ones((), np.float32)
    waits = scale is not None
    follower = only_consumer(graph, last.outputs[0])
    while follower is not None and follower.op == "Mul":
        factors = _factors(follower.inputs[1 if follower.inputs[0] is last.outputs[0] else 0])
        scales = [t for t in factors if t is scale and constant(t) is None]
        values = [constant(t) for t in factors if not any(t is s for s in scales)]
        known = [v for v in values if v is not None]
        if len(known) < len(values) or len(scales) > int(waits):
            break
        waits = waits and not scales
        for value in known:
            factor = factor * value
        last, follower = follower, only_consumer(graph, follower.outputs[0])
    if not waits:
        return factor, last
    fixed = constant(scale)
    if fixed is None:
        refuse(canonical, node, "it is not followed by the scale of its dynamic quantizer", REMEDY)
    return factor / fixed, last


def _factors(tensor: gs.Tensor) -> list[gs.Tensor]:
    """The tensors of which this one is the product."""
    maker = producer(tensor)
    if maker is None or maker.op != "Mul":
        return [tensor]
    return [f for t in maker.inputs for f in _factors(t)]


def _weights(
    canonical: CanonicalGraph, node: gs.Node, index: int, scale: Array, zero_at: int
) -> gs.Tensor:
    """The real values of the constant right operand."""
    integers = constant(node.inputs[index])
    zero_input = input_at(node, zero_at)
    zero = constant(zero_input)
    if integers is None or (zero is None and zero_input is not None):
        refuse(canonical, node, "both operands are computed", REMEDY)
    if zero is None:
        zero = np.zeros((), integers.dtype)
    # One scale for each output channel: axis 1 of a convolution's result, the last of a product's.
    is_conv = node.op == "ConvInteger"
    at = integers.ndim - 2 if is_conv else 0
    if scale.size > 1 and scale.size != scale.shape[-1 - at :][0]:
        refuse(canonical, node, "its scale differs along several axes", REMEDY)
    count = max(scale.size, zero.size)
    shape = () if count == 1 else (count,)
    grid = Grid(
        np.broadcast_to(scale.reshape(-1), count).reshape(shape).astype(np.float32),
        np.broadcast_to(zero.reshape(-1), count).reshape(shape),
        None if count == 1 else (0 if is_conv else integers.ndim - 1),
    )
    return dequantize(canonical.graph, f"{node.name}_dequantize_weights", node.inputs[index], grid)


def _write_matmul(
    canonical: CanonicalGraph,
    node: gs.Node,
    left: gs.Tensor,
    *,
    scale_at: int,
    zero_at: int,
    bias_at: int,
) -> None:
    graph = canonical.graph
    scale = constant(input_at(node, scale_at))
    if scale is None:
        refuse(canonical, node, "the scale of its weights is computed", REMEDY)
    weights = _weights(canonical, node, 1, scale, zero_at)
    bias, result, name = input_at(node, bias_at), node.outputs[0], node.name
    remove(graph, node)
    result.dtype = np.dtype(np.float32)
    if bias is not None:
        product = gs.Variable(unique_name(graph, f"{name}_product"), np.float32, result.shape)
        add = unique_name(graph, f"{name}_bias")
        graph.nodes.append(gs.Node("Add", add, inputs=[product, bias], outputs=[result]))
        result = product
    graph.nodes.append(gs.Node("MatMul", name, inputs=[left, weights], outputs=[result]))


def _check_scale(canonical: CanonicalGraph, node: gs.Node, left: _Activation) -> None:
    """A fused product names the scale of its input itself."""
    given, own = node.inputs[2], left.scale
    known, wanted = constant(given), np.float32(1) if own is None else constant(own)
    same = known is not None and wanted is not None and np.array_equal(known, wanted)
    if given is not own and not same:
        refuse(canonical, node, "its scale is not the one of its input's quantizer", REMEDY)


def _pass_by(graph: gs.Graph, node: gs.Node) -> None:
    """Let those read a dynamic quantizer's input who dequantize its integers."""
    for reader in consumers(node.outputs[0]):
        if reader.op == "DequantizeLinear" and reader.inputs[1] is node.outputs[1]:
            rewire(graph, reader.outputs[0], node.inputs[0])
            remove(graph, reader)


def _report(canonical: CanonicalGraph, dropped: int) -> None:
    if dropped:
        what = f"{dropped} dynamic quantizers are left out, activations are float there"
        why = "their scales depend on each batch, thresholds are fixed"
        canonical.diagnostics.append(Diagnostic("DYNAMIC_QUANTIZER", "info", "", what, why=why))


INTEGER_PRODUCTS = DIALECTS.register("integer-products")(
    Dialect(
        "integer products",
        dict.fromkeys(PRODUCTS, 2) | {FUSED_PRODUCT: 4, DYNAMIC_PRODUCT: 3, DYNAMIC: 1},
        lower,
    )
)
