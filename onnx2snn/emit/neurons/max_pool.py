"""max_pool: the max pool of a rate code."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS
from onnx2snn.emit.spiking_pool import insert_pool
from onnx2snn.emit.state import Emission
from onnx2snn.plan import ActivationSite, NeuronPlan


@NEURONS.register("max_pool")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the pool by SpikeMaxPool."""
    (pool,) = nodes
    final = emission.variable(f"{site.name}.count_final", pool.inputs[0], in_time=False)
    constants = {"count_init": neuron.v_init}
    return insert_pool(
        emission, site, pool, "SpikeMaxPool", constants=constants, final=final, code="count"
    )
