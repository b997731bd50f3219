"""Which part of the network lives in time.

Every node is one of

* ``SITE``: part of an activation site; it becomes neurons;
* ``ANALOG``: computed once for a sample, on ordinary values;
* ``TIME``: computed for every time step.

Two rules decide. A constant input current commutes with everything, so what depends on no spike
is analog: the encoder stands behind it. The mean over time commutes with affine operators, so
what no spike depends on is analog too: the readout stands before it. What the user keeps analog
is analog wherever it stands: it works on means over the window, and is encoded again behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import consumers, data_inputs, label
from onnx2snn.linear import LINEAR
from onnx2snn.plan import ActivationSite, Diagnostic
from onnx2snn.sites.activation import ACTIVATIONS
from onnx2snn.sites.max_pool import max_pool_objection

#: Their like stands at the end of networks, behind the readout.
READOUTS = frozenset(
    {"Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK", "QuantizeLinear", "DequantizeLinear"}
)
PASSIVE_QUANTIZER = frozenset({"QuantizeLinear", "DequantizeLinear"})


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
        settle(node, Region.ANALOG if inputs_analog or kept else Region.TIME)
    for node in reversed(graph.nodes):
        if regions[node.name] is Region.TIME and all(
            regions[reader.name] is Region.ANALOG for t in node.outputs for reader in consumers(t)
        ):
            settle(node, Region.ANALOG)
    return regions


def unsupported(
    graph: gs.Graph, regions: Mapping[str, Region], keep_analog: Collection[str]
) -> list[Diagnostic]:
    """An error for every node that can live neither in time nor behind the readout."""
    before_spikes = _independent_of_spikes(graph, regions)
    problems = []
    for node in graph.nodes:
        region = regions[node.name]
        if region is Region.SITE:
            problems.extend(_wrong_type(node))
        else:
            fine = node.name in keep_analog or node.name in before_spikes
            reason, remedy = _objection(graph, node, region, fine_as_it_is=fine)
            if reason is not None:
                problems.append(
                    Diagnostic("UNSUPPORTED_NODE", "error", label(node), reason, remedy=remedy)
                )
    return problems


def _objection(
    graph: gs.Graph, node: gs.Node, region: Region, *, fine_as_it_is: bool
) -> tuple[str | None, str]:
    """Why a node cannot stay where it is, or None; and what the user can do."""
    remedy = f"keep it as it is with --keep-analog {node.name}"
    if node.domain:
        return (
            f"operators of the domain {node.domain} are not supported yet",
            "write the network in float or QDQ form",
        )
    if any(isinstance(value, gs.Graph) for value in node.attrs.values()):
        # A body may read any tensor of the network, in time or not.
        return "control flow is not supported", "export the network without it"
    if fine_as_it_is or (region is Region.ANALOG and node.op in READOUTS):
        return None, remedy
    if node.op in PASSIVE_QUANTIZER:
        known = ACTIVATIONS.find(node.op)
        if known is not None and known(graph, node) is None:
            return "its scale is not one constant, or not only a DequantizeLinear reads it", remedy
        return None, remedy
    if node.op == "MaxPool":
        return max_pool_objection(
            graph, node
        ) or "what it pools are not one population's spikes", remedy
    handler = LINEAR.find(node.op)
    return ("this operator is not supported" if handler is None else handler.reason(node)), remedy


def _wrong_type(node: gs.Node) -> list[Diagnostic]:
    """An error for an activation of other than float32 values."""
    dtype = node.inputs[0].dtype
    if node.op == "DequantizeLinear" or dtype in {None, np.dtype(np.float32)}:
        return []
    what = f"its values are {np.dtype(dtype).name}, neurons work in float32"
    remedy = "export the network in float32"
    return [Diagnostic("UNSUPPORTED_TYPE", "error", label(node), what, remedy=remedy)]


def _independent_of_spikes(graph: gs.Graph, regions: Mapping[str, Region]) -> set[str]:
    spiking: set[int] = set()
    names: set[str] = set()
    for node in graph.nodes:
        if regions[node.name] is Region.SITE or any(id(t) in spiking for t in node.inputs):
            spiking.update(id(t) for t in node.outputs)
        else:
            names.add(node.name)
    return names
