"""direct: the value itself, as a constant current."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.emit.encoding import ENCODINGS, Encoding
from onnx2snn.emit.prefix import Range
from onnx2snn.emit.state import Emission
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN


def write(emission: Emission, tensor: gs.Variable, covered: Range | None = None) -> gs.Variable:
    """Put a DirectEncode behind a tensor; no range limits it."""
    currents = emission.variable(f"{tensor.name}.encoded", tensor, in_time=True)
    node = emission.add(
        "DirectEncode",
        f"{tensor.name}.encode",
        [tensor, emission.timesteps],
        [currents],
        Region.TIME,
        domain=DOMAIN,
    )
    emission.docs[node.name] = "The value is a constant current at every time step."
    return currents


ENCODINGS.register("direct")(
    Encoding("direct", "the value itself, as a constant current", write, is_spikes=False)
)
