"""What is said of the nodes that live neither in time nor at its ends: islands and refusals.

An island is a warning: the network waits there for the window's end, and the values behind are
encoded again. Refused is what an island could not compute either: another framework's operators,
control flow, what draws random numbers or keeps a state, and what mixes samples.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.analog import ANALOG
from onnx2snn.analog.never import never
from onnx2snn.graphs import label
from onnx2snn.linear import LINEAR
from onnx2snn.plan import Diagnostic
from onnx2snn.sites.regions import Region, before_spikes, behind_spikes, time_objection

#: What they give has no row for each sample.
ROWLESS = frozenset({"ConstantOfShape", "Range", "Shape", "Size"})


def refusals(
    graph: gs.Graph, regions: Mapping[str, Region], keep_analog: Collection[str]
) -> list[Diagnostic]:
    """An error for every node that stands in the way of the conversion."""
    sites = _names(regions, Region.SITE)
    before, behind = before_spikes(graph, sites), behind_spikes(graph, sites)
    rowless = _rowless(graph)
    problems = []
    for node in graph.nodes:
        problem = never(node)
        if problem is None and node.name in sites:
            problem = _wrong_type(node)
        elif problem is None and not (
            node.name in behind or node.name in keep_analog or node.name in rowless
        ):
            reason = _in_front(node) if node.name in before else _between(graph, node)
            remedy = f"keep it as it is with --keep-analog {node.name}"
            problem = None if reason is None else (reason, remedy)
        if problem is not None:
            code = "UNSUPPORTED_TYPE" if node.name in sites else "UNSUPPORTED_NODE"
            what, remedy = problem
            problems.append(Diagnostic(code, "error", label(node), what, remedy=remedy))
    return problems


def islands(
    graph: gs.Graph, regions: Mapping[str, Region], keep_analog: Collection[str]
) -> list[Diagnostic]:
    """A warning for every island that nobody asked for."""
    sites = _names(regions, Region.SITE)
    ends = before_spikes(graph, sites) | behind_spikes(graph, sites)
    inner = [n for n in graph.nodes if regions[n.name] is Region.ANALOG and n.name not in ends]
    said = []
    for part in _connected(inner):
        cores = [
            n for n in part if n.name not in keep_analog and time_objection(graph, n) is not None
        ]
        # With a refusal among them there is nothing to warn of.
        if cores and all(never(n) is None and _between(graph, n) is None for n in cores):
            said.append(_island(graph, cores))
    return said


def _island(graph: gs.Graph, cores: list[gs.Node]) -> Diagnostic:
    first = cores[0]
    others = ", ".join(label(n) for n in cores[1:4])
    if len(cores) > 4:
        others += f" and {len(cores) - 4} more"
    return Diagnostic(
        "ANALOG_ISLAND",
        "warning",
        label(first),
        "stays analog"
        + (f", with {others}" if others else "")
        + ": computed on means over the window, and encoded again behind",
        str(time_objection(graph, first)),
        "train the network with Relu, Clip and average pools there for spikes throughout",
    )


def _connected(nodes: list[gs.Node]) -> list[list[gs.Node]]:
    """Groups of nodes that read each other's tensors, in the order of their first nodes."""
    groups: dict[str, list[gs.Node]] = {}
    for node in nodes:
        mine = [node]
        for maker in (m for t in node.inputs for m in t.inputs if m.name in groups):
            other = groups[maker.name]
            if other is not mine:
                mine = other + mine
                groups.update((n.name, mine) for n in mine)
        groups[node.name] = mine
    return list({id(g): g for g in groups.values()}.values())


def _between(graph: gs.Graph, node: gs.Node) -> str | None:
    """Why a node between two spiking parts is neither for every time step nor an island."""
    objection = time_objection(graph, node)
    if objection is None:
        return None
    rule = ANALOG.find(node.op)
    if rule is not None:
        return rule(node)
    if LINEAR.find(node.op) is not None:
        return objection
    return "this operator is not supported between spiking parts"


def _in_front(node: gs.Node) -> str | None:
    """Anything is computed as it is in front of the first spikes, if it treats samples alike."""
    rule = ANALOG.find(node.op)
    return None if rule is None else rule(node)


def _wrong_type(node: gs.Node) -> tuple[str, str] | None:
    """An activation of other than float32 values."""
    dtype = node.inputs[0].dtype
    if node.op == "DequantizeLinear" or dtype in {None, np.dtype(np.float32)}:
        return None
    what = f"its values are {np.dtype(dtype).name}, neurons work in float32"
    return what, "export the network in float32"


def _rowless(graph: gs.Graph) -> set[str]:
    """Names of the nodes that compute shapes and the like, of which samples have no part."""
    names: set[str] = set()
    for node in graph.nodes:
        variables = [t for t in node.inputs if isinstance(t, gs.Variable) and not t.is_empty()]
        makers = [t.inputs[0].name if t.inputs else None for t in variables]
        if node.op in ROWLESS or (variables and all(m in names for m in makers)):
            names.add(node.name)
    return names


def _names(regions: Mapping[str, Region], region: Region) -> set[str]:
    return {name for name, found in regions.items() if found is region}
