"""lif: leaky integrate-and-fire neurons."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS
from onnx2snn.emit.population import insert_population
from onnx2snn.emit.state import Emission
from onnx2snn.plan import ActivationSite, NeuronPlan


@NEURONS.register("lif")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the site by LeakyIntegrateFire."""
    return insert_population(
        emission,
        site,
        neuron,
        nodes,
        "LeakyIntegrateFire",
        constants={"theta": neuron.threshold, "leak": neuron.leak},
        states={"v": neuron.v_init},
        attrs={"leak_mode": neuron.leak_mode, "reset": neuron.reset},
    )
