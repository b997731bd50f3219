"""Find the activation sites: activations, not Relu nodes.

After quantization an activation is often a chain, or no Relu at all::

    Relu                                       relu
    Clip(0, 6)                                 clip
    Q(signed) ─▶ Relu ─▶ Q(signed)             quantizer, the Relu cuts the lower half off
    Q(lower bound 0) behind a Conv             quantizer, the Relu was absorbed
    Q(lower bound 0) behind Conv ─▶ pool       likewise

A quantizer that is none of these (of signed tensors, of pooled activations) is no site: rates do
not need its grid. Nor is an activation that only gates another tensor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph, Moments
from onnx2snn.graphs import consumers, data_inputs, is_output, only_consumer, producer, rank
from onnx2snn.linear import LINEAR
from onnx2snn.plan import ActivationSite, Diagnostic
from onnx2snn.sites.activation import ACTIVATIONS, PASSIVE_QUANTIZER, Match
from onnx2snn.sites.average_pool import pool_site
from onnx2snn.sites.max_pool import max_pool_site
from onnx2snn.sites.moments import propagate

#: A quantizer behind one of these, with lower bound zero, has absorbed a Relu.
COMPUTES = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div"})
POOLS = frozenset({"AveragePool", "GlobalAveragePool"})
#: What stands behind one of these has the signs of what stands before, as behind any that moves.
PASSES_SIGNS = POOLS | PASSIVE_QUANTIZER | {"MaxPool", "Concat"}


def find_sites(
    canonical: CanonicalGraph,
    *,
    avgpool: str,
    keep_analog: frozenset[str],
    diagnostics: list[Diagnostic],
) -> tuple[ActivationSite, ...]:
    """All sites in topological order.

    Args:
        canonical: the network.
        avgpool: "spiking" or "linear".
        keep_analog: names of nodes that shall not become neurons.
        diagnostics: where reasons go.
    """
    graph = canonical.graph
    moments = propagate(canonical)
    sites: list[ActivationSite] = []
    used: set[str] = set()
    spiking: set[str] = set()
    unit: set[str] = set()  # without an offset: spikes times an amplitude
    for node in graph.nodes:
        if node.name in used or node.name in keep_analog:
            continue
        site = None
        if node.op == "MaxPool":
            site = max_pool_site(graph, node, unit)
        elif node.op in POOLS and avgpool == "spiking":
            if any(t.name in spiking for t in _upstream(node)):
                site = pool_site(node, unit, diagnostics)
        else:
            chain = _chain(graph, node, keep_analog)
            if chain and not _is_gate(graph, chain):
                site = _activation_site(chain, moments, unit)
        if site is not None:
            sites.append(site)
            used.update(site.nodes)
            spiking.add(site.target)
            if site.lower == 0.0:
                unit.add(site.target)
    return tuple(sites)


def _upstream(node: gs.Node) -> list[gs.Tensor]:
    """All tensors that a node depends on."""
    seen: dict[int, gs.Tensor] = {}
    stack = list(node.inputs)
    while stack:
        tensor = stack.pop()
        if id(tensor) not in seen:
            seen[id(tensor)] = tensor
            for maker in tensor.inputs:
                stack.extend(maker.inputs)
    return list(seen.values())


def _is_gate(graph: gs.Graph, chain: Sequence[Match]) -> bool:
    """Whether a bounded activation is read by nothing but products, as in hard swish.

    A product of two computed tensors is an analog island; spikes would be decoded there at once.
    """
    activation = chain[-1].nodes[-1].outputs[0]
    readers = consumers(activation)
    return (
        bool(readers)
        and isfinite(chain[0].bounds.upper)
        and not is_output(graph, activation)
        and all(n.op == "Mul" and len(data_inputs(n)) == 2 for n in readers)
    )


def _activation_site(
    chain: Sequence[Match], moments: Mapping[str, Moments], unit: Collection[str]
) -> ActivationSite | None:
    node = chain[0].nodes[0]
    kinds = [n.op for m in chain for n in m.nodes]
    bounds = chain[0].bounds
    for match in chain[1:]:
        bounds = bounds.then(match.bounds)
    if not {"Relu", "Clip"} & set(kinds) and not (
        bounds.lower == 0.0 and _has_signs(node.inputs[0], unit)
    ):
        return None
    if not isfinite(bounds.lower) or bounds.upper <= bounds.lower:
        return None
    source, target = node.inputs[0], chain[-1].nodes[-1].outputs[0]
    kind = "quantizer" if bounds.scale is not None else ("clip" if "Clip" in kinds else "relu")
    length = source.shape[1] if source.shape is not None and len(source.shape) > 1 else None
    seen = moments.get(source.name)
    return ActivationSite(
        name=node.name,
        kind=kind,
        source=source.name,
        target=target.name,
        nodes=tuple(n.name for m in chain for n in m.nodes),
        channels=length if isinstance(length, int) else None,
        rank=rank(source) or 0,
        lower=bounds.lower,
        upper=bounds.upper,
        levels=bounds.levels,
        scale=bounds.scale,
        zero_point=bounds.zero_point,
        mean=None if seen is None else seen.mean,
        std=None if seen is None else seen.std,
    )


def _chain(graph: gs.Graph, node: gs.Node, keep_analog: Collection[str]) -> list[Match]:
    """The activations that follow each other from here on, read by nobody in between."""
    chain: list[Match] = []
    follower: gs.Node | None = node
    while follower is not None:
        known = ACTIVATIONS.find(follower.op) if not follower.domain else None
        match = None if known is None else known(graph, follower)
        if match is None or any(n.name in keep_analog for n in match.nodes):
            break
        chain.append(match)
        follower = only_consumer(graph, match.nodes[-1].outputs[0])
    return chain


def _has_signs(tensor: gs.Tensor, unit: Collection[str]) -> bool:
    """Whether a layer computes the tensor, with no activation in between."""
    maker = producer(tensor)
    if maker is None or tensor.name in unit:
        return False
    if maker.op in COMPUTES:
        return True
    handler = LINEAR.find(maker.op)
    passes = maker.op in PASSES_SIGNS or (handler is not None and handler.moves(maker))
    return passes and any(_has_signs(t, unit) for t in maker.inputs)
