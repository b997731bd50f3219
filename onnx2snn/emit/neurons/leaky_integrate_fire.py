"""lif: leaky integrate-and-fire neurons."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS
from onnx2snn.emit.population import insert_population
from onnx2snn.emit.state import Emission
from onnx2snn.errors import PlanError
from onnx2snn.plan import ActivationSite, NeuronPlan

LEAK_MODES = ("linear", "factor")


@NEURONS.register("lif")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the site by LeakyIntegrateFire."""
    if neuron.leak_mode not in LEAK_MODES:
        raise PlanError(
            f"leak_mode is '{neuron.leak_mode}'",
            node=f"'{site.name}'",
            remedy=f"known are {', '.join(LEAK_MODES)}",
        )
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
