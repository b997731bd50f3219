"""Variants of a spiking model that show more than its outputs.

Each function takes a model and gives a changed copy; the file on disk stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.opspec import DOMAIN, OPS
from onnx2snn_runtime.time_axis import READOUT, encoders, spiking_nodes, waiting_node

RATE_SUFFIX = ".rate"
IMAGE_SHAPE = "rate.image_shape"
ROW_SHAPE = "rate.row_shape"


def neuron_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that are neuron populations."""
    return [
        node
        for node in model.graph.node
        if node.domain == DOMAIN and OPS.get(node.op_type).is_population
    ]


def speaking_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes from which spikes or currents come: encoders and populations."""
    return [*(node for node, _ in encoders(model)), *neuron_nodes(model)]


def population_name(node: onnx.NodeProto) -> str:
    """The node's name; its spikes' name where a tool dropped the node names."""
    return node.name or node.output[0]


def with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """The model with more tensors as graph outputs, of any shape.

    Their types are known of spiking nodes; any other tensor must be float.
    """
    variant = _copy(model)
    present = {o.name for o in variant.graph.output}
    kinds = {
        name: TensorProto.DataType.Value(param.kind.upper())
        for node, spec in spiking_nodes(model)
        for name, param in zip(node.output, spec.outputs, strict=True)
    }
    variant.graph.output.extend(
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None)
        for name in tensors
        if name not in present
    )
    return variant


def with_rates(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto] | None = None
) -> onnx.ModelProto:
    """The model with one more output [T·N] per population: the share of neurons that fire.

    A negative spike is a spike. Of other spiking nodes it is the mean size of their integers.

    Args:
        model: a spiking model.
        nodes: nodes of the model; by default its populations.
    """
    variant = _copy(model)
    # GlobalAveragePool reads the same in every opset; the axes of ReduceMean moved in 18.
    for name, dims in ((IMAGE_SHAPE, [0, 1, -1]), (ROW_SHAPE, [-1])):
        variant.graph.initializer.append(
            helper.make_tensor(name, TensorProto.INT64, [len(dims)], dims)
        )
    rates = []
    for node in neuron_nodes(model) if nodes is None else nodes:
        rate = population_name(node) + RATE_SUFFIX
        size, image, mean = rate + ".size", rate + ".image", rate + ".mean"
        variant.graph.node.extend(
            [
                helper.make_node("Abs", [node.output[0]], [size]),
                helper.make_node("Reshape", [size, IMAGE_SHAPE], [image]),
                helper.make_node("GlobalAveragePool", [image], [mean]),
                helper.make_node("Reshape", [mean, ROW_SHAPE], [rate]),
            ]
        )
        rates.append(rate)
    return with_outputs(variant, rates)


def is_anytime(model: onnx.ModelProto) -> bool:
    """Whether the answer after t of T steps is the answer at T = t.

    So it is when no part of the network waits for a window, and when everything behind a readout
    depends on readouts alone (so that it has a row for each step).
    """
    if waiting_node(model) is not None:
        return False
    decoded: set[str] = set()
    timeless = {i.name for i in model.graph.input} - {t.name for t in model.graph.initializer}
    for node in model.graph.node:
        spiking = node.domain == DOMAIN
        from_readout = not decoded.isdisjoint(node.input)
        from_input = not timeless.isdisjoint(node.input)
        if from_readout and from_input:
            return False
        if from_readout or (spiking and node.op_type == READOUT):
            decoded.update(node.output)
        elif from_input and not spiking:
            timeless.update(node.output)
    return all(output.name in decoded for output in model.graph.output)


def with_cumulative_readout(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model whose outputs have one row per time step: the answers after each step.

    Raises:
        BackendError: a part of the network waits for a whole window (see :func:`is_anytime`).
    """
    if not is_anytime(model):
        raise BackendError(
            "an analog part waits for the whole window or has no part in time, so there is no "
            "answer after each step",
            remedy="run the model once for every number of time steps",
        )
    variant = _copy(model)
    for node in variant.graph.node:
        if node.domain == DOMAIN and node.op_type == READOUT:
            kept = [a for a in node.attribute if a.name != "cumulative"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("cumulative", 1)])
    # The outputs' first axis is now T·N; their declared shapes say N.
    for output in variant.graph.output:
        output.type.tensor_type.ClearField("shape")
    return variant


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    variant = onnx.ModelProto()
    variant.CopyFrom(model)
    # Stored shapes of intermediate tensors may not fit the variant; nothing needs them here.
    del variant.graph.value_info[:]
    return variant
