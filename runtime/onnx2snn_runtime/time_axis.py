"""Where time is in a spiking model: what has a row for every step, and who waits for a window."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import helper

from onnx2snn_runtime.opspec import DOMAIN, OPS, AttributeValue, OpSpec

#: The initializer that all spiking ops read: how many steps a window has.
TIMESTEPS = "timesteps"
READOUT = "SpikeDecode"
#: Standard operators that answer with numbers of samples, not with a row for each.
NUMBERING = frozenset({"NonMaxSuppression", "NonZero", "Unique"})


def spiking_nodes(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, OpSpec]]:
    """The nodes of the spiking op set with what they are."""
    return [(node, OPS.get(node.op_type)) for node in model.graph.node if node.domain == DOMAIN]


def attributes_of(node: onnx.NodeProto, spec: OpSpec) -> Mapping[str, AttributeValue]:
    """The node's attributes, and the defaults of those that it leaves out."""
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return spec.defaults() | {
        name: value.decode() if isinstance(value, bytes) else value for name, value in given.items()
    }


def label(node: onnx.NodeProto) -> str:
    """A node for people."""
    return f"{node.name or node.output[0]} ({node.op_type})"


def tensors_in_time(model: onnx.ModelProto) -> set[str]:
    """The tensors with a row for every step and sample; final states are not among them."""
    found: set[str] = set()
    for node in model.graph.node:
        if node.domain == DOMAIN:
            if node.op_type != READOUT:
                found.add(node.output[0])
        elif not found.isdisjoint(node.input):
            found.update(node.output)
    return found


def encoders(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, OpSpec]]:
    """The spiking nodes through which values enter time."""
    in_time = tensors_in_time(model)
    return [
        (node, spec)
        for node, spec in spiking_nodes(model)
        if node.op_type != READOUT and node.input[0] not in in_time
    ]


def waiting_node(model: onnx.ModelProto) -> str | None:
    """The first spiking node that must see a whole window before it can begin, if any.

    It needs the window by itself, or it is fed by a readout.
    """
    read: set[str] = set()
    for node in model.graph.node:
        behind = not read.isdisjoint(node.input)
        if node.domain == DOMAIN:
            spec = OPS.get(node.op_type)
            if behind or spec.needs_whole_window(attributes_of(node, spec)):
                return label(node)
        if behind or (node.domain == DOMAIN and node.op_type == READOUT):
            read.update(node.output)
    return None


def numbers_samples(model: onnx.ModelProto) -> bool:
    """Whether answers name samples by their place in the batch, so that no batch may be cut."""
    return any(not node.domain and node.op_type in NUMBERING for node in model.graph.node)
