"""A model's graph, by what makes and what reads each tensor."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array: TypeAlias = npt.NDArray[Any]


class Graph:
    """Look-ups in the graph of a model.

    Attributes:
        nodes: its nodes, in order of execution.
        maker: per tensor, the node that makes it.
        readers: per tensor, the nodes that read it, once for each time they do.
        outputs: names of the graph's outputs.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.nodes = list(graph.node)
        self.maker = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in reads(node):
                self.readers[name].append(node)
        self.outputs = {o.name for o in graph.output}
        self._taken = {*self.maker, *self.readers, *(i.name for i in graph.input)}
        self._taken.update(t.name for t in graph.initializer)
        fed = {i.name for i in graph.input}
        self._constants = {t.name: t for t in graph.initializer if t.name not in fed}

    def new_name(self, name: str) -> str:
        """A name that no tensor has: this one, or one like it."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def constant(self, name: str) -> Array | None:
        """The value of an initializer that nobody can feed; None for any other tensor."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """The node that alone reads a tensor, once; None if the tensor is wanted elsewhere too."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None


def reads(node: onnx.NodeProto) -> list[str]:
    """The tensors that a node reads, those within its subgraphs too."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            names.extend(name for inner in attribute.g.node for name in reads(inner))
            names.extend(output.name for output in attribute.g.output)
    return names


def without_unread(nodes: list[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """The nodes without those that neither another one nor an output needs."""
    read, kept = set(outputs), []
    for node in reversed(nodes):
        if not read.isdisjoint(node.output):
            kept.append(node)
            read.update(reads(node))
    return kept[::-1]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes that a node gives."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def input_at(node: onnx.NodeProto, index: int) -> str:
    """The name of an input; empty where the node leaves it out."""
    return node.input[index] if len(node.input) > index else ""


def by_channel(values: Array, rank: int, channels: int) -> Array | None:
    """Constants of one sample [N, C, ...] as [C] float32; None if they differ within a channel.

    Args:
        values: broadcastable to [N, C, ...].
        rank: axes of the sample, N among them.
        channels: C.
    """
    if values.ndim > rank:
        return None
    full = values.reshape((1,) * (rank - values.ndim) + values.shape)
    others = (*full.shape[:1], *full.shape[2:])
    if any(length != 1 for length in others) or full.shape[1] not in {1, channels}:
        return None
    return np.broadcast_to(full.reshape(-1), channels).astype(np.float32)
