"""Put into the network what calibration corrected: weights of layers, biases of populations.

A population's bias moves into the layer in front of it::

    Conv(x, W, b) ─▶ [+ c] ─▶ neurons   =   Conv(x, W, b + c) ─▶ neurons

and through a sum into one of its layers; where there is none, the sum with the bias stays.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.errors import PlanError
from onnx2snn.graphs import (
    Array,
    constant,
    input_at,
    new_constant,
    only_consumer,
    producer,
    set_input,
    unique_name,
)
from onnx2snn.plan import ActivationSite, LayerCorrection, NeuronPlan

REMEDY = "make the plan again for this model"
#: They add a bias to every output channel.
BIASED = frozenset({"Conv", "Gemm"})


def apply_corrections(graph: gs.Graph, corrections: Iterable[LayerCorrection]) -> None:
    """Replace weights and biases of layers.

    Raises:
        PlanError: a layer is not in the network, or arrays do not fit it.
    """
    by_name = {n.name: n for n in graph.nodes}
    for correction in corrections:
        node = by_name.get(correction.layer)
        weight = None if node is None else constant(input_at(node, 1))
        if node is None or weight is None or weight.shape != correction.weight.shape:
            raise PlanError(
                "its corrected weights do not fit the model",
                node=f"'{correction.layer}'",
                remedy=REMEDY,
            )
        node.inputs[1] = new_constant(graph, f"{node.name}_corrected", correction.weight)
        if correction.bias is not None:
            if node.op not in BIASED or correction.bias.size != _outputs(node, weight):
                raise PlanError(
                    "its corrected bias does not fit the model",
                    node=f"'{correction.layer}'",
                    remedy=REMEDY,
                )
            values = correction.bias.reshape(-1)
            set_input(node, 2, new_constant(graph, f"{node.name}_corrected_bias", values))


def insert_biases(
    graph: gs.Graph, sites: Iterable[ActivationSite], neurons: Iterable[NeuronPlan]
) -> None:
    """Add the populations' biases to the currents in front of them."""
    by_name = {n.name: n for n in graph.nodes}
    for site, neuron in zip(sites, neurons, strict=True):
        if neuron.bias is None or not neuron.bias.any():
            continue
        first = by_name[site.nodes[0]]
        layer = _layer_before(graph, first.inputs[0], first)
        if layer is not None and _is_per_channel(neuron.bias, site):
            _into_layer(graph, layer, neuron.bias.reshape(-1))
        else:
            _as_sum(graph, site, first, neuron.bias)
    graph.toposort()


def _layer_before(graph: gs.Graph, tensor: gs.Tensor, reader: gs.Node) -> gs.Node | None:
    """A layer that reaches the reader through sums alone, and nobody else."""
    maker = producer(tensor)
    if maker is None or only_consumer(graph, tensor) is not reader:
        return None
    if maker.op in BIASED and constant(input_at(maker, 1)) is not None:
        held = input_at(maker, 2)
        return maker if held is None or constant(held) is not None else None
    if maker.op != "Add":
        return None
    found = (_layer_before(graph, t, maker) for t in maker.inputs)
    return next((layer for layer in found if layer is not None), None)


def _is_per_channel(bias: Array, site: ActivationSite) -> bool:
    return bias.size == 1 or bias.size == bias.shape[0] == site.channels


def _into_layer(graph: gs.Graph, layer: gs.Node, bias: Array) -> None:
    weight, held = constant(layer.inputs[1]), constant(input_at(layer, 2))
    assert weight is not None
    start = np.zeros(_outputs(layer, weight), dtype=np.float32) if held is None else held
    total = (start.reshape(-1) + bias).astype(np.float32)
    set_input(layer, 2, new_constant(graph, f"{layer.name}_bias", total))


def _outputs(layer: gs.Node, weight: Array) -> int:
    return int(weight.shape[0] if layer.op == "Conv" else weight.shape[1])


def _as_sum(graph: gs.Graph, site: ActivationSite, first: gs.Node, bias: Array) -> None:
    source = first.inputs[0]
    name = f"{site.name}.bias"
    biased = gs.Variable(unique_name(graph, f"{name}.sum"), source.dtype, source.shape)
    values = new_constant(graph, name, bias)
    node = gs.Node("Add", unique_name(graph, f"{name}.add"), {}, [source, values], [biased])
    graph.nodes.append(node)
    first.inputs[0] = biased
