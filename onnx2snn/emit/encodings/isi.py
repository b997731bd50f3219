"""isi: spikes at the multiples of an interval; values below zero give negative spikes."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.encoding import ENCODINGS, Encoding, spikes_of, valued
from onnx2snn.emit.prefix import Range
from onnx2snn.emit.state import Emission
from onnx2snn.graphs import new_constant


def write(emission: Emission, tensor: gs.Variable, covered: Range) -> gs.Variable:
    """Put an IsiEncode behind a tensor; one spike is worth the largest size of a value."""
    size = np.maximum(np.abs(covered.low), np.abs(covered.high))
    largest = new_constant(emission.graph, f"{tensor.name}.largest", size.astype(np.float32))
    attrs: dict[str, object] = {"alpha": 1.0, "silent_steps": 0}
    spikes = spikes_of(emission, tensor, "IsiEncode", [tensor, largest], attrs)
    return valued(emission, tensor, spikes, size, np.zeros_like(size))


ENCODINGS.register("isi")(
    Encoding("isi", "spikes at the multiples of an interval", write, "Gao et al. 2023")
)
