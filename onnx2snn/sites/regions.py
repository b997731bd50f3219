"""Which part of the network lives in time.

Every node is one of

* ``SITE``: part of an activation site; it becomes neurons;
* ``ANALOG``: computed once for a sample, on ordinary values;
* ``TIME``: computed for every time step.

Three rules decide. A constant input current commutes with everything, so what depends on no spike
is analog: the encoder stands behind it. The mean over time commutes with affine operators, so
what no spike depends on is analog too: the readout stands before it. And what can act on no single
time step is analog wherever it stands, an island: it works on means over the window, and is
encoded again behind. So is what the user keeps analog.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

import onnx_graphsurgeon as gs

from onnx2snn.graphs import consumers, data_inputs
from onnx2snn.linear import LINEAR
from onnx2snn.plan import ActivationSite
from onnx2snn.sites.activation import ACTIVATIONS, PASSIVE_QUANTIZER
from onnx2snn.sites.max_pool import max_pool_objection


class Region(Enum):
    """Where a node lives."""

    SITE = "site"
    ANALOG = "analog"
    TIME = "time"


def classify(
    graph: gs.Graph, sites: Collection[ActivationSite], keep_analog: Collection[str]
) -> dict[str, Region]:
    """The region of every node, by name. The graph is in topological order."""
    regions = {name: Region.SITE for site in sites for name in site.nodes}
    behind = behind_spikes(graph, set(regions))
    analog: set[int] = {id(t) for t in graph.inputs}

    def settle(node: gs.Node, region: Region) -> None:
        regions[node.name] = region
        if region is Region.ANALOG:
            analog.update(id(t) for t in node.outputs)

    for node in graph.nodes:
        if node.name in regions:
            continue
        inputs_analog = all(id(node.inputs[i]) in analog for i in data_inputs(node))
        kept = node.name in keep_analog
        # Behind the last spikes everything is analog; the backward sweep says from where on.
        island = node.name not in behind and time_objection(graph, node) is not None
        settle(node, Region.ANALOG if inputs_analog or kept or island else Region.TIME)
    for node in reversed(graph.nodes):
        if regions[node.name] is Region.TIME and all(
            regions[reader.name] is Region.ANALOG for t in node.outputs for reader in consumers(t)
        ):
            settle(node, Region.ANALOG)
    return regions


def time_objection(graph: gs.Graph, node: gs.Node) -> str | None:
    """Why a node that is no site cannot act on every time step; None if it can."""
    if node.op in PASSIVE_QUANTIZER:
        known = ACTIVATIONS.find(node.op)
        if known is not None and known(graph, node) is None:
            return "its scale is not one constant, or not only a DequantizeLinear reads it"
        return None
    if node.op == "MaxPool":
        objection = max_pool_objection(graph, node)
        return objection or "what it pools are not one population's spikes"
    handler = None if node.domain else LINEAR.find(node.op)
    if handler is None:
        return "it is not linear, and no population can stand for it"
    return handler.reason(node)


def before_spikes(graph: gs.Graph, sites: Collection[str]) -> set[str]:
    """Names of the nodes that depend on no site."""
    spiking: set[int] = set()
    names: set[str] = set()
    for node in graph.nodes:
        if node.name in sites or any(id(t) in spiking for t in node.inputs):
            spiking.update(id(t) for t in node.outputs)
        else:
            names.add(node.name)
    return names


def behind_spikes(graph: gs.Graph, sites: Collection[str]) -> set[str]:
    """Names of the nodes on which no site depends."""
    read: set[int] = set()
    names: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name in sites or any(id(t) in read for t in node.outputs):
            read.update(id(t) for t in node.inputs)
        else:
            names.add(node.name)
    return names
