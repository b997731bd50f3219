"""Linear layers whose weights are whole numbers, and these as the kernels want them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from onnx2snn_runtime.packed.digits import digits_of
from onnx2snn_runtime.packed.graph import Array, Graph, attributes, by_channel, input_at

#: Columns of a block of weights, and what lies together of one column.
LANES = 16
QUAD = 4
#: Depth of a tile of AMX.
TILE_DEPTH = 64


@dataclass(frozen=True)
class IntegerLayer:
    """A Conv, Gemm or MatMul whose weights are integers times a scale.

    Attributes:
        node: the operator.
        weights: int8 [digits, outputs, inputs / groups, height, width]: the integers' digits to
            the base of 256, from −128 to 127, lowest first.
        scale: float32 [outputs].
        bias: float32 [outputs].
        rank: axes of its input and output: 4, 3 ([N, C, L]) or 2.
        groups: of channels.
        strides, pads, dilations: along height and width; pads are begins, then ends.
    """

    node: onnx.NodeProto
    weights: Array
    scale: Array
    bias: Array
    rank: int
    groups: int = 1
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)

    @property
    def outputs(self) -> int:
        """Output channels."""
        return int(self.weights.shape[1])

    def reading_flat(self, channels: int) -> IntegerLayer:
        """The layer for input that was flattened channels last, of so many channels."""
        flat = self.weights.reshape(-1, self.outputs, channels, self.weights[0, 0].size // channels)
        flat = flat.transpose(0, 1, 3, 2)
        return replace(self, weights=flat.reshape(self.weights.shape))


def integer_layer(graph: Graph, node: onnx.NodeProto, floats: bool) -> IntegerLayer | None:
    """The node as a layer of integers, if it is one that the kernels compute.

    Args:
        graph: the node's graph.
        node: any node.
        floats: whether float weights are taken too, as whole numbers of 24 bits.
    """
    if node.domain or node.op_type not in {"Conv", "Gemm", "MatMul"} or len(node.input) < 2:
        return None
    given = attributes(node)
    is_conv = node.op_type == "Conv"
    columns_last = not is_conv and not given.get("transB", 0)
    found = _quantized(graph, node.input[1], columns_last)
    if found is None and floats:
        found = _float(graph, node.input[1], columns_last)
    if found is None:
        return None
    digits, scale = found
    bias: Array | None = np.zeros(len(scale), np.float32)
    if input_at(node, 2):
        constant = graph.constant(node.input[2])
        bias = None if constant is None else by_channel(constant.reshape(-1), 2, len(scale))
    if bias is None:
        return None
    return (_conv if is_conv else _matrix)(node, given, digits, scale, bias)


def is_quantized(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether a layer's weights are dequantized ones."""
    return node.input[1] in graph.maker


def _quantized(graph: Graph, name: str, columns_last: bool) -> tuple[Array, Array] | None:
    """int8 weights and scales, output channels first, of a tensor that was dequantized."""
    node = graph.maker.get(name)
    if node is None or node.op_type != "DequantizeLinear" or attributes(node).get("block_size"):
        return None
    weights, scale = (graph.constant(n) for n in node.input[:2])
    if weights is None or scale is None or weights.dtype != np.int8 or scale.dtype != np.float32:
        return None
    if input_at(node, 2):
        zero = graph.constant(node.input[2])
        if zero is None or zero.any():
            return None
    axis = int(attributes(node).get("axis", 1)) % max(1, weights.ndim)
    if columns_last:
        if weights.ndim != 2:
            return None
        weights, axis = weights.T, 1 - axis
    if weights.ndim < 2 or (scale.size != 1 and axis != 0):
        return None
    return weights[None], np.broadcast_to(scale.reshape(-1), len(weights))


def _float(graph: Graph, name: str, columns_last: bool) -> tuple[Array, Array] | None:
    """The digits and scales, output channels first, of constant float weights."""
    weights = graph.constant(name)
    if weights is None or weights.dtype != np.float32 or weights.ndim < 2:
        return None
    if columns_last:
        return digits_of(weights.T) if weights.ndim == 2 else None
    return digits_of(weights)


def _conv(
    node: onnx.NodeProto, given: dict[str, Any], weights: Array, scale: Array, bias: Array
) -> IntegerLayer | None:
    spatial = weights.ndim - 3
    if spatial not in {1, 2} or given.get("auto_pad", b"NOTSET") not in {b"NOTSET", b"VALID"}:
        return None
    pads = list(given.get("pads", [0] * 2 * spatial))
    strides = list(given.get("strides", [1] * spatial))
    dilations = list(given.get("dilations", [1] * spatial))
    if min(pads) < 0:
        return None
    if spatial == 1:  # a line is an image of height 1
        weights = weights[:, :, :, None]
        pads, strides, dilations = [0, pads[0], 0, pads[1]], [1, *strides], [1, *dilations]
    return IntegerLayer(
        node,
        weights,
        scale,
        bias,
        rank=spatial + 2,
        groups=int(given.get("group", 1)),
        strides=(strides[0], strides[1]),
        pads=(pads[0], pads[1], pads[2], pads[3]),
        dilations=(dilations[0], dilations[1]),
    )


def _matrix(
    node: onnx.NodeProto, given: dict[str, Any], weights: Array, scale: Array, bias: Array
) -> IntegerLayer | None:
    if weights.ndim != 3 or given.get("transA", 0):
        return None
    if given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0:
        return None
    return IntegerLayer(node, weights[..., None, None], scale, bias, rank=2)


@dataclass(frozen=True)
class PackedLayer:
    """A layer's constants in the order of the kernels.

    Attributes:
        weights: int8 [digits, ranges, blocks, depth / 4, 16, 4]. A range is some outputs that see
            the same input channels.
        ranges: int64 [ranges, 3]: first input channel, first output channel, number of outputs.
        range_channels: input channels that each range sees.
    """

    weights: Array
    ranges: Array
    range_channels: int

    def columns(self, values: Array, filler: float = 0) -> Array:
        """Values [..., outputs] in the order of the weights' columns."""
        count, blocks = self.weights.shape[1:3]
        placed = np.full((*values.shape[:-1], count, blocks * LANES), filler, values.dtype)
        for i, (_, first, size) in enumerate(self.ranges):
            placed[..., i, :size] = values[..., first : first + size]
        return placed


def pack(layer: IntegerLayer, tiles: bool) -> PackedLayer:
    """The layer's weights, packed; with ``tiles`` so deep that AMX takes them."""
    digits, outputs, group_inputs, *kernel = layer.weights.shape
    inputs = group_inputs * layer.groups
    group_outputs = outputs // layer.groups
    # Groups of few outputs share a range; what is no synapse there has weight 0.
    width = group_outputs if group_outputs % LANES == 0 or layer.groups == 1 else LANES
    firsts = range(0, outputs, width)
    seen = [
        (
            first // group_outputs * group_inputs,
            ((min(first + width, outputs) - 1) // group_outputs + 1) * group_inputs,
        )
        for first in firsts
    ]
    channels = max(end - begin for begin, end in seen)
    taps = kernel[0] * kernel[1]
    depth = _rounded(taps * channels, TILE_DEPTH if tiles else QUAD)
    rows = np.zeros((digits, len(seen), _rounded(width, LANES), depth), np.int8)
    dense = rows[..., : taps * channels].reshape(*rows.shape[:3], taps, channels)
    own = layer.weights.reshape(digits, outputs, group_inputs, taps).swapaxes(2, 3)
    ranges = np.empty((len(seen), 3), np.int64)
    for i, (first, (begin, _)) in enumerate(zip(firsts, seen, strict=True)):
        start = min(begin, inputs - channels)
        count = min(width, outputs - first)
        ranges[i] = start, first, count
        for group in range(first // group_outputs, (first + count - 1) // group_outputs + 1):
            low = max(first, group * group_outputs)
            high = min(first + count, (group + 1) * group_outputs)
            at = group * group_inputs - start
            place = slice(low - first, high - first), slice(None), slice(at, at + group_inputs)
            dense[(slice(None), i, *place)] = own[:, low:high]
    rows[..., : taps * channels] = dense.reshape(*rows.shape[:3], -1)
    blocks = rows.reshape(digits, len(seen), -1, LANES, depth // QUAD, QUAD).swapaxes(3, 4)
    return PackedLayer(np.ascontiguousarray(blocks), ranges, channels)


def _rounded(size: int, step: int) -> int:
    return -(-size // step) * step
