"""Replace every site by its population, each neuron model by an emitter of its own."""

from __future__ import annotations

from typing import Protocol

import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.errors import PlanError
from onnx2snn.graphs import Array
from onnx2snn.plan import ActivationSite, NeuronPlan
from onnx2snn_runtime.registry import Registry


class NeuronEmitter(Protocol):
    """Writes the nodes of one neuron model."""

    def __call__(
        self, emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
    ) -> gs.Node:
        """Replace the site's nodes; gives the spiking node."""
        ...


NEURONS: Registry[NeuronEmitter] = Registry("neuron model", "onnx2snn.emit.neurons")

#: Models of spiking pools, named as the kinds of sites that become them.
POOL_NEURONS = frozenset({"average_pool", "max_pool"})


def fits(site: ActivationSite, neuron: str) -> bool:
    """Whether neurons of that model can stand at a site: every kind of pool has its own."""
    if site.is_pool:
        return neuron == site.kind
    return neuron not in POOL_NEURONS and NEURONS.find(neuron) is not None


def replace_sites(emission: Emission) -> None:
    """Replace all sites of the plan.

    Raises:
        PlanError: a neuron model lacks what it needs.
        RegistryError: the plan names an unknown neuron model.
    """
    by_name = {n.name: n for n in emission.graph.nodes}
    for site, neuron in zip(emission.plan.sites, emission.plan.neurons, strict=True):
        nodes = [by_name[name] for name in site.nodes]
        spiking = NEURONS.get(neuron.neuron)(emission, site, neuron, nodes)
        emission.docs[spiking.name] = describe(site, neuron)


def describe(site: ActivationSite, neuron: NeuronPlan) -> str:
    """A population for people."""
    text = f"Replaces {' + '.join(site.nodes)} ({site.kind})."
    for name, values in (("Threshold", neuron.threshold), ("Leak", neuron.leak)):
        if values is not None:
            low, high = float(values.min()), float(values.max())
            text += f" {name} {low:.4g}" + ("." if low == high else f" to {high:.4g}.")
    if neuron.provenance:
        text += " " + ", ".join(f"{k}: {v}" for k, v in neuron.provenance.items()) + "."
    return text


def needs_soft_reset(site: ActivationSite, neuron: NeuronPlan) -> None:
    """Refuse a hard reset.

    Raises:
        PlanError: the plan asks for one.
    """
    if neuron.reset != "subtract":
        raise PlanError(
            f"'{neuron.neuron}' neurons subtract the threshold, they have no reset to zero",
            node=f"'{site.name}'",
            remedy="use reset 'subtract', or 'if' neurons",
        )


def required(site: ActivationSite, neuron: NeuronPlan, name: str, value: Array | None) -> Array:
    """A value that the neuron model cannot do without.

    Raises:
        PlanError: it is missing.
    """
    if value is None:
        raise PlanError(f"'{neuron.neuron}' neurons need a value for {name}", node=f"'{site.name}'")
    return value
