"""The frame around the neurons of an activation, whatever their model.

::

    source ─▶ [activation] ─▶ target

becomes, with amplitude A and lower bound a::

    source ─▶ [− a] ─▶ neurons ─▶ spikes ─▶ Mul(A) ─▶ [+ a] ─▶ target

Layers that read the target take [+ a] into their bias (Yan 2022, eq. 6: value-range encoding).
The Mul is there so that every tensor keeps its value; later it moves into the weights behind.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import required
from onnx2snn.emit.offset import absorb_offset
from onnx2snn.emit.state import Emission
from onnx2snn.graphs import Array, consumers, is_output, new_constant, remove
from onnx2snn.plan import ActivationSite, Diagnostic, NeuronPlan
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN, STATE_AFTER, STATE_BEFORE


def insert_population(
    emission: Emission,
    site: ActivationSite,
    neuron: NeuronPlan,
    nodes: list[gs.Node],
    op: str,
    *,
    constants: Mapping[str, Array | None],
    states: Mapping[str, Array],
    attrs: Mapping[str, object],
) -> gs.Node:
    """Replace a site's nodes by neurons and what scales and shifts their spikes.

    Args:
        emission: the graph, changed.
        site: where.
        neuron: its plan.
        nodes: the site's nodes.
        op: the spiking op.
        constants: what stands between the current and the states in the op's inputs, by name.
        states: the states' values before step 0 by the name of the state, in the op's order.
        attrs: the op's attributes.

    Returns:
        The spiking node.

    Raises:
        PlanError: a constant or the amplitude is missing.
    """
    graph = emission.graph
    source, target = nodes[0].inputs[0], nodes[-1].outputs[0]
    for node in nodes:
        remove(graph, node)
    current = source if site.lower == 0.0 else _shifted(emission, site, source)
    spikes = emission.variable(f"{site.name}.spikes", target, in_time=True)
    before = {f"{name}{STATE_BEFORE}": value for name, value in states.items()}
    named = {name: required(site, neuron, name, v) for name, v in constants.items()} | before
    spiking = emission.add(
        op,
        site.name,
        [
            current,
            *(new_constant(graph, f"{site.name}.{name}", value) for name, value in named.items()),
            emission.timesteps,
        ],
        [
            spikes,
            *(
                emission.variable(f"{site.name}.{name}{STATE_AFTER}", target, in_time=False)
                for name in states
            ),
        ],
        Region.SITE,
        domain=DOMAIN,
        attrs=dict(attrs),
    )
    valued = target if site.lower == 0.0 else _shifted_back(emission, site, target)
    amplitude = required(site, neuron, "amplitude", neuron.amplitude)
    scale = new_constant(graph, f"{site.name}.amplitude", amplitude)
    emission.amplitudes.append(
        emission.add("Mul", f"{site.name}.scale", [spikes, scale], [valued], Region.TIME)
    )
    return spiking


def _shifted(emission: Emission, site: ActivationSite, source: gs.Tensor) -> gs.Tensor:
    """The current above the lower bound; computed once where the source is analog."""
    maker = source.inputs[0] if source.inputs else None
    region = Region.ANALOG if maker is None else emission.regions[maker.name]
    region = Region.TIME if region is Region.SITE else region
    shifted = emission.variable(f"{site.name}.current", source, in_time=region is Region.TIME)
    lower = np.array([site.lower], dtype=np.float32)
    bound = new_constant(emission.graph, f"{site.name}.bound", lower)
    emission.add("Sub", f"{site.name}.shift", [source, bound], [shifted], region)
    return shifted


def _shifted_back(emission: Emission, site: ActivationSite, target: gs.Variable) -> gs.Variable:
    """The tensor of spikes times amplitude; the lower bound is added behind, in layers' biases.

    What is no layer reads the sum of both.
    """
    valued = emission.variable(f"{site.name}.valued", target, in_time=True)
    lower = np.array([site.lower], dtype=np.float32)
    for reader in consumers(target):
        if emission.regions.get(reader.name) is Region.TIME:
            absorb_offset(emission, reader, target, valued, lower)
    if not consumers(target) and not is_output(emission.graph, target):
        return valued
    shift = new_constant(emission.graph, f"{site.name}.lower", lower)
    emission.add("Add", f"{site.name}.shift_back", [valued, shift], [target], Region.TIME)
    emission.diagnostics.append(
        Diagnostic(
            "OFFSET_KEPT",
            "info",
            f"'{site.name}'",
            f"spikes stand for values above {site.lower:g}; the offset is added behind them",
            "layers behind it receive values, not spikes",
        )
    )
    return valued
