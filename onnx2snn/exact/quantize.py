"""Make a quantized network of a float one, so that it too gets an exact spiking twin.

::

    input                    8 bits, range of the data
    weights                  N bits, symmetric, one scale for each output channel
    activation [0, θ]        N bits, unsigned, one scale θ / (2^N − 1); θ by a threshold method
    operand of a sum         8 bits, symmetric, range of the data
    channels put together    8 bits, range of the data

    bias                     32 bits, scale of the input times scale of the weights

Everything is in QDQ form, as onnxruntime and other tools read it. A bias stays float where the
layer's input has no one scale; onnxruntime would otherwise quantize it by itself, differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph, export
from onnx2snn.graphs import (
    Array,
    constant,
    data_inputs,
    input_at,
    insert_after,
    is_output,
    new_constant,
    producer,
    unique_name,
)
from onnx2snn.plan import ActivationSite

#: Bits of whatever is no weight and no activation.
SIDE_BITS = 8
LEAST_BITS, MOST_BITS = 2, 8
LARGEST_BIAS = 2**31
#: What integers of one scale pass unchanged.
MOVES = frozenset(
    {"MaxPool", "Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice"}
)
LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def side_tensors(canonical: CanonicalGraph, sites: tuple[ActivationSite, ...]) -> list[str]:
    """Names of the tensors, besides activations, that get a quantizer: their ranges are needed."""
    graph = canonical.graph
    targets = {site.target for site in sites}
    names = [t.name for t in graph.inputs if t.dtype == np.float32]
    for node in graph.nodes:
        if node.op in {"Add", "Sub"} and len(data_inputs(node)) == 2:
            names += [t.name for t in node.inputs if t.name not in targets]
        elif node.op == "Concat":
            names.append(node.outputs[0].name)
    return [n for n in dict.fromkeys(names) if n not in targets]


def quantize(
    canonical: CanonicalGraph,
    sites: tuple[ActivationSite, ...],
    thresholds: Mapping[str, float],
    ranges: Mapping[str, tuple[float, float]],
    bits: int,
) -> onnx.ModelProto:
    """The network with quantizers.

    Args:
        canonical: a float network; it is not changed.
        sites: its activations, pools left out.
        thresholds: the upper end of each activation, by site name.
        ranges: of the other tensors to be quantized, by name; see :func:`side_tensors`.
        bits: of weights and activations, 2 to 8.
    """
    graph = canonical.graph.copy()
    tensors = graph.tensors()
    for node in list(graph.nodes):
        if node.op in LAYERS:
            _quantize_weights(graph, node, bits)
    for name, (low, high) in ranges.items():
        if any(tensors[name] is i for i in graph.inputs):
            _insert(graph, tensors[name], *_affine(min(low, 0.0), max(high, 0.0)))
        else:
            largest = max(abs(low), abs(high)) or 1.0
            step = np.float32(largest / (2 ** (SIDE_BITS - 1) - 1))
            _insert(graph, tensors[name], step, np.zeros((), dtype=np.int8))
    for site in sites:
        step = np.float32(thresholds[site.name] / (2**bits - 1))
        top = None if bits == SIDE_BITS else step * np.float32(2**bits - 1)
        _insert(graph, tensors[site.target], step, np.zeros((), dtype=np.uint8), top)
    for node in list(graph.nodes):
        if node.op in LAYERS - {"MatMul"}:
            _quantize_bias(graph, node)
    model = export(graph)
    model.producer_name = "onnx2snn"
    return model


def _affine(low: float, high: float) -> tuple[np.float32, Array]:
    """Scale and zero point of an unsigned quantizer that holds zero exactly."""
    levels = 2**SIDE_BITS - 1
    step = np.float32((high - low) / levels) if high > low else np.float32(1.0)
    return step, np.array(round(-low / float(step)), dtype=np.uint8)


def _insert(
    graph: gs.Graph,
    tensor: gs.Variable,
    step: np.float32,
    zero: Array,
    top: np.float32 | None = None,
) -> None:
    """A quantizer behind a tensor: all its readers read what comes out."""
    readers = list(tensor.outputs)
    maker = producer(tensor)
    base = unique_name(graph, f"{tensor.name if maker is None else maker.name}.quantized")

    def variable(suffix: str, dtype: object) -> gs.Variable:
        return gs.Variable(unique_name(graph, f"{base}.{suffix}"), dtype, tensor.shape)

    nodes = []
    source = tensor
    if top is not None and isfinite(float(top)):
        limits = [
            new_constant(graph, f"{base}.lower", np.zeros((), dtype=np.float32)),
            gs.Constant(unique_name(graph, f"{base}.upper"), np.array(top)),
        ]
        source = variable("clipped", np.float32)
        nodes.append(gs.Node("Clip", f"{base}.clip", {}, [tensor, *limits], [source]))
    scale = gs.Constant(unique_name(graph, f"{base}.scale"), np.array(step, dtype=np.float32))
    point = gs.Constant(unique_name(graph, f"{base}.zero_point"), np.array(zero))
    integers, values = variable("integers", zero.dtype), variable("values", np.float32)
    nodes += [
        gs.Node("QuantizeLinear", base, {}, [source, scale, point], [integers]),
        gs.Node("DequantizeLinear", f"{base}.dequantize", {}, [integers, scale, point], [values]),
    ]
    for reader in readers:
        for i, read in enumerate(reader.inputs):
            if read is tensor:
                reader.inputs[i] = values
    if is_output(graph, tensor):
        graph.outputs = [values if tensor is o else o for o in graph.outputs]
        tensor.name, values.name = unique_name(graph, f"{base}.source"), tensor.name
    if maker is None:
        graph.nodes.extend(nodes)
    else:
        insert_after(graph, maker, nodes)


def _quantize_weights(graph: gs.Graph, node: gs.Node, bits: int) -> None:
    weights = constant(node.inputs[1])
    if weights is None:
        return
    transposed = node.op == "ConvTranspose"
    axis = 1 if transposed or node.op == "Gemm" else 0
    if node.op == "MatMul":
        axis = weights.ndim - 1
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others)
    steps = np.where(largest > 0, largest, 1.0) / (2 ** (bits - 1) - 1)
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
    integers = np.rint(weights / steps.reshape(shape)).astype(np.int8)
    base = unique_name(graph, f"{node.name}.weight")
    values = gs.Variable(f"{base}.values", np.float32, weights.shape)
    inputs = [
        new_constant(graph, f"{base}.integers", integers),
        new_constant(graph, f"{base}.scale", steps.astype(np.float32)),
        new_constant(graph, f"{base}.zero_point", np.zeros(steps.shape, dtype=np.int8)),
    ]
    insert_after(
        graph,
        node,
        [gs.Node("DequantizeLinear", f"{base}.dequantize", {"axis": axis}, inputs, [values])],
    )
    node.inputs[1] = values


def _quantize_bias(graph: gs.Graph, node: gs.Node) -> None:
    bias, scale = constant(input_at(node, 2)), _input_scale(node)
    weights = producer(node.inputs[1])
    if bias is None or scale is None or weights is None:
        return
    steps = np.float32(scale) * np.asarray(constant(weights.inputs[1]), dtype=np.float32)
    integers = np.rint(bias.astype(np.float64) / steps)
    if not (np.abs(integers) < LARGEST_BIAS).all():
        return
    base = unique_name(graph, f"{node.name}.bias")
    values = gs.Variable(f"{base}.values", np.float32, bias.shape)
    inputs = [
        new_constant(graph, f"{base}.integers", integers.astype(np.int32)),
        new_constant(graph, f"{base}.scale", steps),
    ]
    insert_after(
        graph,
        node,
        [gs.Node("DequantizeLinear", f"{base}.dequantize", {"axis": 0}, inputs, [values])],
    )
    node.inputs[2] = values


def _input_scale(node: gs.Node) -> float | None:
    """The one scale of the integers that a layer receives, if they come straight to it."""
    maker = producer(node.inputs[0])
    while maker is not None and maker.op in MOVES:
        maker = producer(maker.inputs[0])
    if maker is None or maker.op != "DequantizeLinear":
        return None
    scale = constant(maker.inputs[1])
    return float(scale.reshape(())) if scale is not None and scale.size == 1 else None
