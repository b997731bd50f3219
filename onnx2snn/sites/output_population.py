"""Neurons behind the last layers, where a readout counts spikes.

::

    Gemm ─▶ Softmax ─▶ output      ──▶      Gemm ─▶ Clip(low, high) ─▶ Softmax ─▶ output

The Clip is an activation like any other: its site becomes a population.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.graphs import (
    consumers,
    data_inputs,
    is_output,
    new_constant,
    producer,
    unique_name,
)
from onnx2snn.plan import ActivationSite
from onnx2snn.sites.regions import behind_spikes, time_objection

SUFFIX = ".readout"


def output_places(canonical: CanonicalGraph, sites: Collection[ActivationSite]) -> list[str]:
    """Names of the tensors that output populations shall read: what the last layers compute.

    Raises:
        UnsupportedModelError: an output is not computed by linear layers behind neurons, with
            functions of one tensor behind them at most.
    """
    graph = canonical.graph
    spiking = {s.target for s in sites}
    places: dict[str, None] = {}
    for output in graph.outputs:
        found = _place(graph, output, spiking)
        if found is None:
            raise UnsupportedModelError(
                f"output '{output.name}' has no last layer whose spikes could be counted",
                remedy="convert with --readout mean",
            )
        if found.name not in spiking:
            places[found.name] = None
    return list(places)


def insert_output_populations(
    canonical: CanonicalGraph, sites: Collection[ActivationSite], low: float, high: float
) -> frozenset[str]:
    """Put a Clip behind each of the places; gives the names of the new nodes.

    What other populations depend on goes on reading the current in front of it.

    Raises:
        UnsupportedModelError: as :func:`output_places`.
    """
    graph = canonical.graph
    behind = behind_spikes(graph, {name for s in sites for name in s.nodes})
    names = []
    for place in output_places(canonical, sites):
        tensor = graph.tensors()[place]
        maker = producer(tensor)
        assert maker is not None
        current = gs.Variable(unique_name(graph, f"{place}.current"), tensor.dtype, tensor.shape)
        maker.outputs[maker.outputs.index(tensor)] = current
        for reader in consumers(tensor):
            if reader.name not in behind:
                reader.inputs = [current if t is tensor else t for t in reader.inputs]
        name = unique_name(graph, f"{maker.name}{SUFFIX}")
        bounds = [
            new_constant(graph, f"{name}.{end}", np.array(value, dtype=np.float32))
            for end, value in (("low", low), ("high", high))
        ]
        graph.nodes.append(gs.Node("Clip", name, {}, [current, *bounds], [tensor]))
        names.append(name)
    graph.toposort()
    return frozenset(names)


def _place(graph: gs.Graph, output: gs.Tensor, spiking: Collection[str]) -> gs.Tensor | None:
    """The tensor behind the last layer in time, or of the last population."""
    tensor = output
    while True:
        maker = producer(tensor)
        if tensor.name in spiking:
            return tensor
        if maker is None or (is_output(graph, tensor) and tensor is not output):
            return None
        if time_objection(graph, maker) is None:
            return tensor if _follows(tensor, spiking) else None
        if len(data_inputs(maker)) != 1:
            return None
        tensor = maker.inputs[data_inputs(maker)[0]]


def _follows(tensor: gs.Tensor, spiking: Collection[str]) -> bool:
    """Whether a tensor depends on a population."""
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        here = stack.pop()
        if here.name in spiking:
            return True
        maker = producer(here)
        if maker is not None and id(here) not in seen:
            seen.add(id(here))
            stack.extend(maker.inputs)
    return False
