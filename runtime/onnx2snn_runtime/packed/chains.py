"""What lies between a layer of integers and the neurons that it drives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.packed.graph import Array, Graph, attributes, by_channel
from onnx2snn_runtime.packed.layers import IntegerLayer

#: Neurons that the kernels run. Their inputs are: currents, constants, states, T.
NEURONS = ("IntegrateFire", "SignedIntegrateFire")


@dataclass(frozen=True)
class Neurons:
    """A population that the kernels can run.

    Attributes:
        node: the spiking node.
        kind: "subtract", "zero" or "signed".
        constants: per input name, float32 [C]; the threshold first.
        states: the tensors of the initial states; the potential first.
    """

    node: onnx.NodeProto
    kind: str
    constants: dict[str, Array]
    states: tuple[str, ...]

    @property
    def zero_point(self) -> int:
        """The byte that says silence."""
        return 1 if self.kind == "signed" else 0

    @property
    def timesteps(self) -> str:
        """The tensor that says T."""
        name: str = self.node.input[-1]
        return name


@dataclass(frozen=True)
class Chain:
    """A layer, currents that join its own, and the neurons that get the sum.

    Attributes:
        layer: the layer.
        joins: the Adds, in order.
        others: for each, the tensor that joins.
        neurons: the population.
    """

    layer: IntegerLayer
    joins: tuple[onnx.NodeProto, ...]
    others: tuple[str, ...]
    neurons: Neurons


def find_chain(graph: Graph, layer: IntegerLayer, in_time: set[str]) -> Chain | None:
    """The chain that begins with a layer; None if its currents are wanted elsewhere."""
    joins: list[onnx.NodeProto] = []
    others: list[str] = []
    name = layer.node.output[0]
    while True:
        reader = graph.only_reader(name)
        if reader is None:
            return None
        if reader.domain == DOMAIN:
            neurons = find_neurons(graph, reader, layer.rank, layer.outputs)
            if neurons is None or reader.input[0] != name:
                return None
            return Chain(layer, tuple(joins), tuple(others), neurons)
        if reader.domain or reader.op_type != "Add":
            return None
        other = reader.input[1] if reader.input[0] == name else reader.input[0]
        if other not in in_time:
            return None
        joins.append(reader)
        others.append(other)
        name = reader.output[0]


def find_neurons(graph: Graph, node: onnx.NodeProto, rank: int, channels: int) -> Neurons | None:
    """The node as neurons of so many channels, if the kernels run such."""
    if node.domain != DOMAIN or node.op_type not in NEURONS:
        return None
    signed = node.op_type == "SignedIntegrateFire"
    names = ("theta", "s_min", "s_max") if signed else ("theta",)
    constants = {}
    for name, tensor in zip(names, node.input[1:], strict=False):
        value = graph.constant(tensor)
        spread = None if value is None else by_channel(value, rank, channels)
        if spread is None:
            return None
        constants[name] = spread
    states = tuple(node.input[1 + len(names) : -1])
    reset = attributes(node).get("reset", b"subtract").decode()
    return Neurons(node, "signed" if signed else reset, constants, states)


def amplitude_of(graph: Graph, name: str, rank: int, channels: int) -> tuple[str, Array] | None:
    """The spikes and amplitudes float32 [C] of which a tensor is the product, if it is one."""
    node = graph.maker.get(name)
    if node is None or node.domain or node.op_type != "Mul":
        return None
    for spikes, factor in (tuple(node.input), tuple(reversed(node.input))):
        value = graph.constant(factor)
        if value is not None and value.dtype == np.float32:
            spread = by_channel(value, rank, channels)
            if spread is not None:
                return spikes, spread
    return None


def channels_of(graph: Graph, name: str) -> tuple[int, int] | None:
    """Axes and channels of a layer's output, by its weights; None where they do not tell."""
    node = graph.maker.get(name)
    if node is None or node.domain or node.op_type not in {"Conv", "Gemm"}:
        return None
    source = graph.maker.get(node.input[1])
    dequantized = source is not None and source.op_type == "DequantizeLinear"
    weights = graph.constant(source.input[0] if source and dequantized else node.input[1])
    if weights is None or weights.ndim > 4:
        return None
    columns_last = node.op_type == "Gemm" and not attributes(node).get("transB", 0)
    return weights.ndim, int(weights.shape[1 if columns_last else 0])
