"""signed-if: signed integrate-and-fire neurons, which take back a spike given too early.

The activation is at least the site's lower bound, so the tracer stays at or above zero. It needs
no upper limit: a neuron gives at most one spike a step, so its rate never exceeds one.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.neuron import NEURONS, needs_soft_reset
from onnx2snn.emit.population import insert_population
from onnx2snn.emit.state import Emission
from onnx2snn.plan import ActivationSite, NeuronPlan

#: Up to here float32 counts one by one.
LARGEST_COUNT = 2.0**24


@NEURONS.register("signed-if")
def emit(
    emission: Emission, site: ActivationSite, neuron: NeuronPlan, nodes: list[gs.Node]
) -> gs.Node:
    """Replace the site by SignedIntegrateFire."""
    needs_soft_reset(site, neuron)
    return insert_population(
        emission,
        site,
        neuron,
        nodes,
        "SignedIntegrateFire",
        constants={
            "theta": neuron.threshold,
            "s_min": np.zeros(1, dtype=np.float32),
            "s_max": np.full(1, LARGEST_COUNT, dtype=np.float32),
        },
        states={"v": neuron.v_init, "s": np.zeros(1, dtype=np.float32)},
        attrs={},
    )
