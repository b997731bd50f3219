"""Replace every site by its population.

::

    source ─▶ [activation] ─▶ target

becomes, with amplitude A and lower bound a::

    source ─▶ [− a] ─▶ IntegrateFire ─▶ spikes ─▶ Mul(A) ─▶ [+ a] ─▶ target

The Mul is there so that every tensor keeps its value; later it moves into the weights behind.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.graphs import new_constant, remove
from onnx2snn.plan import ActivationSite, Diagnostic, NeuronPlan
from onnx2snn.sites import Region
from onnx2snn.sites.average_pool import pool_geometry
from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.registry import Registry


class NeuronEmitter(Protocol):
    """Writes the nodes of one neuron model."""

    def __call__(
        self, emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
    ) -> gs.Node:
        """Replace the site's nodes; gives the spiking node."""
        ...


NEURONS: Registry[NeuronEmitter] = Registry("neuron model", "onnx2snn.emit")


def replace_sites(emission: Emission) -> None:
    """Replace all sites of the plan."""
    by_name = {n.name: n for n in emission.graph.nodes}
    for site, neuron in zip(emission.plan.sites, emission.plan.neurons, strict=True):
        nodes = [by_name[name] for name in site.nodes]
        spiking = NEURONS.get(neuron.neuron)(emission, site, neuron, nodes)
        emission.docs[spiking.name] = describe(site, neuron)


def describe(site: ActivationSite, neuron: NeuronPlan) -> str:
    """A population for people."""
    text = f"Replaces {' + '.join(site.nodes)} ({site.kind})."
    if neuron.threshold is not None:
        low, high = float(neuron.threshold.min()), float(neuron.threshold.max())
        text += f" Threshold {low:.4g}" + ("." if low == high else f" to {high:.4g}.")
    if neuron.provenance:
        text += " " + ", ".join(f"{k}: {v}" for k, v in neuron.provenance.items()) + "."
    return text


@NEURONS.register("if")
def integrate_fire(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Plain integrate-and-fire neurons."""
    assert neuron.amplitude is not None
    assert neuron.threshold is not None
    graph = emission.graph
    source, target = nodes[0].inputs[0], nodes[-1].outputs[0]
    for node in nodes:
        remove(graph, node)
    current = source
    if site.lower != 0.0:
        current = _shifted(emission, site, "Sub", source)
    spikes = emission.variable(f"{site.name}.spikes", target, in_time=True)
    final = emission.variable(f"{site.name}.v_final", target, in_time=False)
    node = emission.add(
        "IntegrateFire",
        site.name,
        [
            current,
            new_constant(graph, f"{site.name}.theta", neuron.threshold),
            new_constant(graph, f"{site.name}.v_init", neuron.v_init),
            emission.timesteps,
        ],
        [spikes, final],
        Region.SITE,
        domain=DOMAIN,
        attrs={"reset": neuron.reset},
    )
    valued = target
    if site.lower != 0.0:
        valued = emission.variable(f"{site.name}.valued", target, in_time=True)
        shift = new_constant(graph, f"{site.name}.lower", np.array([site.lower], np.float32))
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
    amplitude = new_constant(graph, f"{site.name}.amplitude", neuron.amplitude)
    emission.amplitudes.append(
        emission.add("Mul", f"{site.name}.scale", [spikes, amplitude], [valued], Region.TIME)
    )
    return node


def _shifted(emission: Emission, site: ActivationSite, op: str, source: gs.Tensor) -> gs.Tensor:
    """The current above the lower bound; computed once where the source is analog."""
    maker = source.inputs[0] if source.inputs else None
    region = Region.ANALOG if maker is None else emission.regions[maker.name]
    region = Region.TIME if region is Region.SITE else region
    shifted = emission.variable(f"{site.name}.current", source, in_time=region is Region.TIME)
    lower = np.array([site.lower], dtype=np.float32)
    constant = new_constant(emission.graph, f"{site.name}.bound", lower)
    emission.add(op, f"{site.name}.shift", [source, constant], [shifted], region)
    return shifted


@NEURONS.register("average_pool")
def average_pool(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """The population of an average pool: it counts spikes, and any amplitude passes it."""
    assert neuron.threshold is not None
    target = nodes[0].outputs[0]
    state = emission.variable(f"{site.name}.v_final", target, in_time=False)
    threshold = new_constant(emission.graph, f"{site.name}.theta", neuron.threshold)
    return _pool(emission, site, neuron, nodes, "SpikeAveragePool", [threshold], state)


@NEURONS.register("max_pool")
def max_pool(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """The max pool of a rate code; any amplitude passes it."""
    source = nodes[0].inputs[0]
    state = emission.variable(f"{site.name}.count_final", source, in_time=False)
    return _pool(emission, site, neuron, nodes, "SpikeMaxPool", [], state)


def _pool(
    emission: Emission,
    site: ActivationSite,
    neuron: NeuronPlan,
    nodes: list[gs.Node],
    op: str,
    threshold: list[gs.Tensor],
    state: gs.Variable,
) -> gs.Node:
    (pool,) = nodes
    kernel, strides, pads = pool_geometry(pool)
    source, target = pool.inputs[0], pool.outputs[0]
    remove(emission.graph, pool)
    initial = new_constant(emission.graph, f"{site.name}.v_init", neuron.v_init)
    return emission.add(
        op,
        site.name,
        [source, *threshold, initial, emission.timesteps],
        [target, state],
        Region.SITE,
        domain=DOMAIN,
        attrs={"kernel_shape": kernel, "strides": strides, "pads": pads},
    )
