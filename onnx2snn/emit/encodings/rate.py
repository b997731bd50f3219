"""rate: a count of spikes, evenly spread over the window.

With a range that does not begin at zero this is Yan's value-range encoding.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.calibration.signals import Train
from onnx2snn.emit.encoding import ENCODINGS, Encoding, range_inputs, spikes_of, valued
from onnx2snn.emit.prefix import Range
from onnx2snn.emit.state import Emission
from onnx2snn.graphs import Array
from onnx2snn.plan import ConversionConfig
from onnx2snn_runtime.opspec import OPS, split_time


def write(emission: Emission, tensor: gs.Variable, covered: Range) -> gs.Variable:
    """Put a RateEncode behind a tensor."""
    inputs = [tensor, *range_inputs(emission, tensor, covered)]
    spikes = spikes_of(emission, tensor, "RateEncode", inputs, {"quantize": "nearest"})
    return valued(emission, tensor, spikes, covered.high - covered.low, covered.low)


def code(values: Array, covered: Range, config: ConversionConfig) -> Train:
    """What the nodes compute."""
    T = np.array(config.timesteps)
    (rows,) = OPS.get("RateEncode").window(values, covered.low, covered.high, T)
    spikes = split_time(rows, config.timesteps).astype(np.int8)
    return Train(spikes, covered.high - covered.low, covered.low)


ENCODINGS.register("rate")(
    Encoding(
        "rate",
        "a count of spikes, evenly spread over the window",
        write,
        "Yan et al. 2022",
        code=code,
    )
)
