"""if: plain integrate-and-fire neurons."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS
from onnx2snn.emit.population import insert_population
from onnx2snn.emit.state import Emission
from onnx2snn.plan import ActivationSite, NeuronPlan


@NEURONS.register("if")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the site by IntegrateFire."""
    return insert_population(
        emission,
        site,
        neuron,
        nodes,
        "IntegrateFire",
        constants={"theta": neuron.threshold},
        states={"v": neuron.v_init},
        attrs={"reset": neuron.reset},
    )
