"""asg: averaging spike generation, layer-synchronous and evenly spread (Yan 2022)."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS, needs_soft_reset
from onnx2snn.emit.population import insert_population
from onnx2snn.emit.state import Emission
from onnx2snn.plan import ActivationSite, NeuronPlan


@NEURONS.register("asg")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the site by AveragedIntegrateFire."""
    needs_soft_reset(site, neuron)
    return insert_population(
        emission,
        site,
        neuron,
        nodes,
        "AveragedIntegrateFire",
        constants={"theta": neuron.threshold},
        states={"v": neuron.v_init},
        attrs={},
    )
