"""isi: spikes at the multiples of an interval; values below zero give negative spikes."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.calibration.signals import Train
from onnx2snn.emit.encoding import ENCODINGS, Encoding, spikes_of, valued
from onnx2snn.emit.prefix import Range
from onnx2snn.emit.state import Emission
from onnx2snn.graphs import Array, new_constant
from onnx2snn.plan import ConversionConfig
from onnx2snn_runtime.opspec import OPS, split_time

ATTRIBUTES = {"alpha": 1.0, "silent_steps": 0}


def write(emission: Emission, tensor: gs.Variable, covered: Range) -> gs.Variable:
    """Put an IsiEncode behind a tensor; one spike is worth the largest size of a value."""
    size = _size(covered)
    largest = new_constant(emission.graph, f"{tensor.name}.largest", size.astype(np.float32))
    attrs: dict[str, object] = {**ATTRIBUTES}
    spikes = spikes_of(emission, tensor, "IsiEncode", [tensor, largest], attrs)
    return valued(emission, tensor, spikes, size, np.zeros_like(size))


def code(values: Array, covered: Range, config: ConversionConfig) -> Train:
    """What the nodes compute."""
    size, T = _size(covered), np.array(config.timesteps)
    (rows,) = OPS.get("IsiEncode").window(values, size, T, **ATTRIBUTES)
    return Train(split_time(rows, config.timesteps).astype(np.int8), size)


def _size(covered: Range) -> Array:
    size: Array = np.maximum(np.abs(covered.low), np.abs(covered.high))
    return size


ENCODINGS.register("isi")(
    Encoding("isi", "spikes at the multiples of an interval", write, "Gao et al. 2023", code=code)
)
