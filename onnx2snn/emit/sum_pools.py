"""Average pools that are kept as synapses add spikes up; the division moves into weights behind.

::

    AveragePool(s, k×k)  ──▶  Conv(s, ones)  ─▶  Mul(1/k²)

The convolution works on each channel alone, so it counts the spikes of a window. Layers behind
receive whole numbers then, not fractions.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.graphs import new_constant
from onnx2snn.sites import Region
from onnx2snn.sites.average_pool import counted_places, pool_geometry


def sum_pool(emission: Emission, pool: gs.Node) -> list[gs.Node]:
    """Make an average pool count; gives the Mul behind it, or nothing where it must stay.

    It stays where windows at the border average fewer places: a division for each place would
    reach no weights.
    """
    places, channels = counted_places(pool), pool.inputs[0].shape[1]
    if places is None or places.size != 1 or not isinstance(channels, int):
        return []
    kernel, strides, pads = pool_geometry(pool)
    output = pool.outputs[0]
    counts = emission.variable(f"{pool.name}.counts", output, in_time=True)
    ones = np.ones((channels, 1, *kernel), dtype=np.float32)
    pool.op = "Conv"
    pool.attrs = {"kernel_shape": kernel, "strides": strides, "pads": pads, "group": channels}
    pool.inputs = [pool.inputs[0], new_constant(emission.graph, f"{pool.name}.ones", ones)]
    pool.outputs = [counts]
    share = new_constant(emission.graph, f"{pool.name}.share", 1 / places)
    return [emission.add("Mul", f"{pool.name}.mean", [counts, share], [output], Region.TIME)]
