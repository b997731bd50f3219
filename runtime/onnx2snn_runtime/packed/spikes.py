"""Spikes as bytes [R, H, W, C]: which tensors hold spikes, and ops that only move them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.packed.graph import Graph, attributes, input_at

PACKED_DOMAIN = "org.onnx2snn.packed"
#: Encoders of values as spikes, and the byte that then says silence: 0 where there is none below 0,
#: else 1.
ENCODERS = {"RateEncode": 0, "PoissonEncode": 0, "ChannelExpand": 0, "IsiEncode": 1}
#: The same of all ops whose first output is spikes.
SPEAKERS = {
    **ENCODERS,
    "IntegrateFire": 0,
    "LeakyIntegrateFire": 0,
    "AveragedIntegrateFire": 0,
    "SpikeAveragePool": 0,
    "SignedIntegrateFire": 1,
    "CalciumIntegrateFire": 1,
}


@dataclass(frozen=True)
class PackedSpikes:
    """A tensor of bytes [R, H, W, C].

    Attributes:
        name: the tensor.
        zero_point: the byte that says silence.
        rank: axes of the float tensor that it stands for.
        channels: C, if known.
        flat: it stands for the flattened float tensor, channels first.
    """

    name: str
    zero_point: int
    rank: int
    channels: int | None = None
    flat: bool = False


class Packer:
    """Keeps spikes packed; appends the nodes for it, each when its output is first asked for.

    Attributes:
        nodes: the nodes of the new graph, in order.
        initializers: its new constants.
    """

    def __init__(self, graph: Graph, threads: int) -> None:
        self._graph = graph
        self._threads = threads
        self._packed: dict[str, PackedSpikes] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def emit(self, op: str, inputs: list[str], outputs: list[str], /, **given: Any) -> None:
        """Append a node of the packed domain."""
        node = helper.make_node(
            op, inputs, outputs, name=f"{outputs[0]}.{op}", domain=PACKED_DOMAIN, **given
        )
        self.nodes.append(node)

    def constant(self, name: str, value: Any) -> str:
        """Add a constant; gives its name, which is this one or one like it."""
        name = self._graph.new_name(name)
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def name(self, spikes: str) -> str:
        """A name for a tensor's spikes as bytes."""
        return self._graph.new_name(spikes + ".packed")

    def made(self, spikes: str, packed: PackedSpikes) -> None:
        """Say that a tensor's spikes are there as bytes."""
        self._packed[spikes] = packed

    def zero_point(self, name: str) -> int | None:
        """The byte for silence of a tensor of spikes; None if the tensor may hold other numbers."""
        if name in self._packed:
            return self._packed[name].zero_point
        node = self._graph.maker.get(name)
        if node is None or name != node.output[0]:
            return None
        if node.domain == DOMAIN:
            counts = attributes(node).get("code", b"count") == b"count"
            if node.op_type == "SpikeMaxPool" and counts:
                return self.zero_point(node.input[0])
            return SPEAKERS.get(node.op_type)
        keeps = node.op_type in {"Slice", "Flatten", "Reshape", "Identity"}
        if keeps or (node.op_type == "Pad" and self._pads_with_silence(node)):
            return self.zero_point(node.input[0])
        return None

    def packed(self, name: str, rank: int) -> PackedSpikes | None:
        """A tensor's spikes as bytes; None if it holds no spikes.

        Args:
            name: the float tensor.
            rank: its axes.
        """
        zero_point = self.zero_point(name)
        if zero_point is None:
            return None
        if name not in self._packed:
            node = self._graph.maker[name]
            made = self._moved(node, rank)
            if made is None:
                made = PackedSpikes(self.name(name), zero_point, rank)
                self.emit("Pack", [name], [made.name], zero_point=zero_point)
            self._packed[name] = made
        return self._packed[name]

    def max_pool(self, node: onnx.NodeProto) -> bool:
        """Put a packed pool in the place of a SpikeMaxPool, if its input is packed."""
        source = self._already(node.input[0])
        given = attributes(node)
        axes = len(given["kernel_shape"])
        if source is None or source.flat or axes not in {1, 2} or axes + 2 != source.rank:
            return False
        kernel, strides, pads = (list(given[a]) for a in ("kernel_shape", "strides", "pads"))
        if axes == 1:
            kernel, strides, pads = [1, *kernel], [1, *strides], [0, pads[0], 0, pads[1]]
        made = replace(source, name=self.name(node.output[0]))
        self.emit(
            "PackedMaxPool",
            [source.name, node.input[1], node.input[2]],
            [made.name, node.output[1]],
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
            dilations=[1, 1],
            zero_point=source.zero_point,
            rank=source.rank,
            threads=self._threads,
        )
        self._packed[node.output[0]] = made
        return True

    def unpacking(self) -> dict[str, list[onnx.NodeProto]]:
        """Per packed tensor, the nodes that would make the float tensors of it."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for name, packed in self._packed.items():
            if not packed.flat:
                node = helper.make_node(
                    "Unpack",
                    [packed.name],
                    [name],
                    domain=PACKED_DOMAIN,
                    zero_point=packed.zero_point,
                    rank=packed.rank,
                )
                found.setdefault(packed.name, []).append(node)
        return found

    def _moved(self, node: onnx.NodeProto, rank: int) -> PackedSpikes | None:
        """The output of a node that only moves spikes, made of packed ones where that can be."""
        if node.domain:
            return None
        if node.op_type in {"Flatten", "Reshape"}:
            return self._flat(node) if rank == 2 else None
        source = self._already(node.input[0])
        if source is None or source.flat or source.rank != 4:
            return None
        if node.op_type == "Slice":
            return self._slice(node, source)
        return self._pad(node, source) if node.op_type == "Pad" else None

    def _already(self, name: str) -> PackedSpikes | None:
        """Spikes that are packed, or can be without a Pack of their own."""
        if name not in self._packed and name in self._graph.maker:
            source = self._graph.maker[name]
            if self.zero_point(name) is None:
                return None
            moved = self._moved(source, 4)
            if moved is not None:
                self._packed[name] = moved
        return self._packed.get(name)

    def _flat(self, node: onnx.NodeProto) -> PackedSpikes | None:
        source = self._already(node.input[0])
        if source is None or source.channels is None or source.rank == 2:
            return None
        if node.op_type == "Flatten" and attributes(node).get("axis", 1) != 1:
            return None
        if node.op_type == "Reshape":
            shape = self._graph.constant(node.input[1])
            if shape is None or len(shape) != 2 or shape[0] != 0:
                return None
        return replace(source, rank=2, flat=True)

    def _slice(self, node: onnx.NodeProto, source: PackedSpikes) -> PackedSpikes | None:
        starts, ends, axes, steps = (
            self._graph.constant(input_at(node, i)) if input_at(node, i) else None
            for i in range(1, 5)
        )
        if starts is None or ends is None or (input_at(node, 4) and steps is None):
            return None
        if axes is None:
            if input_at(node, 3):
                return None
            axes = np.arange(len(starts))
        axes = axes % 4
        made = replace(source, name=self.name(node.output[0]))
        if 1 in axes:
            made = replace(made, channels=None)
        moved = self.constant(made.name + ".axes", np.array([0, 3, 1, 2])[axes].astype(np.int64))
        inputs = [source.name, node.input[1], node.input[2], moved, input_at(node, 4)]
        self.nodes.append(helper.make_node("Slice", inputs, [made.name]))
        return made

    def _pads_with_silence(self, node: onnx.NodeProto) -> bool:
        if attributes(node).get("mode", b"constant") != b"constant" or input_at(node, 3):
            return False
        filler = self._graph.constant(node.input[2]) if input_at(node, 2) else np.zeros(1)
        return filler is not None and not filler.any()

    def _pad(self, node: onnx.NodeProto, source: PackedSpikes) -> PackedSpikes | None:
        pads = self._graph.constant(node.input[1])
        if pads is None or len(pads) != 8:
            return None
        begins, ends = (half[[0, 2, 3, 1]] for half in (pads[:4], pads[4:]))
        more = int(pads[1] + pads[5])
        channels = None if source.channels is None else source.channels + more
        made = replace(source, name=self.name(node.output[0]), channels=channels)
        inputs = [
            source.name,
            self.constant(made.name + ".pads", np.concatenate([begins, ends])),
            self.constant(made.name + ".silence", np.uint8(source.zero_point)),
        ]
        self.nodes.append(helper.make_node("Pad", inputs, [made.name]))
        return made
