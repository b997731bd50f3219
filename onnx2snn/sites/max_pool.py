"""Max pools of spikes: the busiest neuron of a window speaks, which is exact for rates."""

from __future__ import annotations

from collections.abc import Collection

import onnx_graphsurgeon as gs

from onnx2snn.graphs import consumers, is_output, rank, sample_shape
from onnx2snn.plan import ActivationSite
from onnx2snn.sites.average_pool import receives_spikes


def max_pool_site(graph: gs.Graph, node: gs.Node, unit: Collection[str]) -> ActivationSite | None:
    """The site of a MaxPool, or None where it cannot work on spikes.

    Args:
        graph: the graph it is in.
        node: a MaxPool.
        unit: names of the tensors that hold one population's spikes times an amplitude.
    """
    if not receives_spikes(node, unit) or max_pool_objection(graph, node) is not None:
        return None
    target = node.outputs[0]
    channels = target.shape[1] if target.shape and isinstance(target.shape[1], int) else None
    return ActivationSite(
        name=node.name,
        kind="max_pool",
        source=node.inputs[0].name,
        target=target.name,
        nodes=(node.name,),
        channels=channels,
        rank=rank(target) or 0,
    )


def max_pool_objection(graph: gs.Graph, node: gs.Node) -> str | None:
    """What about a MaxPool's form stands in the way of spikes, or None."""
    attrs = node.attrs
    if any(d != 1 for d in attrs.get("dilations", [])):
        return "dilated max pools are not supported"
    if any(consumers(t) or is_output(graph, t) for t in node.outputs[1:]):
        return "its indices are used"
    if sample_shape(node.inputs[0]) is None and (attrs.get("ceil_mode") or attrs.get("auto_pad")):
        return "its padding depends on the input's size"
    return None
