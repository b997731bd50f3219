"""average_pool: the population of an average pool; it counts spikes."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS, required
from onnx2snn.emit.spiking_pool import insert_pool
from onnx2snn.emit.state import Emission
from onnx2snn.plan import ActivationSite, NeuronPlan


@NEURONS.register("average_pool")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the pool by SpikeAveragePool."""
    (pool,) = nodes
    final = emission.variable(f"{site.name}.v_final", pool.outputs[0], in_time=False)
    theta = required(site, neuron, "theta", neuron.threshold)
    constants = {"theta": theta, "v_init": neuron.v_init}
    return insert_pool(emission, site, pool, "SpikeAveragePool", constants=constants, final=final)
