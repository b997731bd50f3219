"""Integer sums by onnxruntime's own nodes, where there are no kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.packed.graph import Array, Graph
from onnx2snn_runtime.packed.layers import IntegerLayer, integer_layer
from onnx2snn_runtime.packed.rewrite import replace_nodes
from onnx2snn_runtime.packed.spikes import Packer

#: Layers of fewer channels lose more by putting windows together than they gain by integers.
LEAST_CHANNELS = 128
END = np.iinfo(np.int64).max


def with_integer_sums(
    model: onnx.ModelProto, least_channels: int = LEAST_CHANNELS
) -> onnx.ModelProto:
    """The model with MatMulInteger where wide layers of int8 weights read spikes.

    A convolution's windows are put together by Pad, Slice and Concat, channels last. The currents
    are those of :func:`onnx2snn_runtime.packed.with_packed_spikes`.

    Args:
        model: a spiking model, as it would be executed.
        least_channels: layers of fewer input or output channels stay as they are.
    """
    graph = Graph(model)
    spikes = Packer(graph, threads=0)
    layers = {}
    for node in graph.nodes:
        layer = integer_layer(graph, node, floats=False)
        if layer is None or layer.groups != 1 or layer.rank == 3:
            continue
        wide = min(layer.outputs, layer.weights.shape[2]) >= least_channels
        if wide and spikes.zero_point(node.input[0]) is not None:
            layers[node.output[0]] = layer
    if not layers:
        return model
    rewrite = _Sums(graph, spikes)
    for node in graph.nodes:
        layer = layers.get(node.output[0])
        if layer is None:
            rewrite.nodes.append(node)
        else:
            rewrite.add(layer)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    read = {name for node in rewrite.nodes for name in node.input}
    idle = {node.input[1] for node in (layer.node for layer in layers.values())} - read
    nodes = [node for node in rewrite.nodes if idle.isdisjoint(node.output)]
    replace_nodes(changed, nodes, rewrite.initializers)
    return changed


class _Sums:
    """Makes the nodes of layers."""

    def __init__(self, graph: Graph, spikes: Packer) -> None:
        self._graph, self._spikes = graph, spikes
        self._bytes: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(self, layer: IntegerLayer) -> None:
        """Append the nodes that compute a layer's currents."""
        source, name = layer.node.input[0], layer.node.output[0]
        zero_point = self._spikes.zero_point(source)
        silence = self._constant(name + ".silence", np.uint8(zero_point or 0))
        rows = self._as_bytes(source, zero_point or 0, layer.rank)
        if layer.rank == 4:
            rows = self._windows(layer, rows, silence)
        # [outputs, inputs, height, width] to [height · width · inputs, outputs]
        matrix = layer.weights[0].transpose(2, 3, 1, 0).reshape(-1, layer.outputs)
        weights = self._constant(name + ".integers", np.ascontiguousarray(matrix))
        sums = self._node("MatMulInteger", [rows, weights, silence], name + ".sums")
        whole = self._node("Cast", [sums], name + ".whole", to=TensorProto.FLOAT)
        scale = self._constant(name + ".scale", np.ascontiguousarray(layer.scale))
        scaled = self._node("Mul", [whole, scale], name + ".scaled")
        bias = self._constant(name + ".bias", layer.bias)
        if layer.rank == 2:
            self.nodes.append(helper.make_node("Add", [scaled, bias], [name]))
            return
        last = self._node("Add", [scaled, bias], name + ".last")
        self.nodes.append(helper.make_node("Transpose", [last], [name], perm=[0, 3, 1, 2]))

    def _as_bytes(self, source: str, zero_point: int, rank: int) -> str:
        """Spikes as uint8, channels last; made once for all layers that read them."""
        if source not in self._bytes:
            shifted = source
            if zero_point:
                one = self._constant(source + ".one", np.float32(zero_point))
                shifted = self._node("Add", [source, one], source + ".shifted")
            small = self._node("Cast", [shifted], source + ".bytes", to=TensorProto.UINT8)
            if rank == 4:
                small = self._node("Transpose", [small], source + ".last", perm=[0, 2, 3, 1])
            self._bytes[source] = small
        return self._bytes[source]

    def _windows(self, layer: IntegerLayer, images: str, silence: str) -> str:
        """What every output pixel sees, [R, H, W, height · width · inputs]."""
        name = layer.node.output[0]
        if any(layer.pads):
            top, left, bottom, right = layer.pads
            pads = np.array([0, top, left, 0, 0, bottom, right, 0])
            inputs = [images, self._constant(name + ".pads", pads), silence]
            images = self._node("Pad", inputs, name + ".padded")
        axes = self._constant(name + ".axes", np.array([1, 2]))
        steps = self._constant(name + ".steps", np.array(layer.strides))
        kernel = layer.weights.shape[3:]
        parts = []
        for place in np.ndindex(*kernel):
            begin = np.multiply(place, layer.dilations)
            rest = np.multiply(np.subtract(kernel, 1), layer.dilations) - begin
            label = f"{name}.{place[0]}.{place[1]}"
            bounds = [
                self._constant(label + ".begin", begin),
                self._constant(label + ".end", np.where(rest > 0, -rest, END)),
            ]
            parts.append(self._node("Slice", [images, *bounds, axes, steps], label))
        return self._node("Concat", parts, name + ".windows", axis=3)

    def _node(self, op: str, inputs: list[str], output: str, **given: Any) -> str:
        output = self._graph.new_name(output)
        self.nodes.append(helper.make_node(op, inputs, [output], **given))
        return output

    def _constant(self, name: str, value: Array | np.generic) -> str:
        name = self._graph.new_name(name)
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name
