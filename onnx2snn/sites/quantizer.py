"""QuantizeLinear → DequantizeLinear: rounds to a grid and clips to its ends.

The integers q_min … q_max stand for scale·(q − zero_point): the lower bound is
scale·(q_min − zero_point), which is zero where a Relu was absorbed in the quantizer.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, only_consumer
from onnx2snn.sites.activation import ACTIVATIONS, Bounds, Match


@ACTIVATIONS.register("QuantizeLinear")
def quantizer(graph: gs.Graph, node: gs.Node) -> Match | None:
    """A quantizer with one constant scale, read by its DequantizeLinear only."""
    reader = only_consumer(graph, node.outputs[0])
    scale, zero = constant(input_at(node, 1)), constant(input_at(node, 2))
    if reader is None or reader.op != "DequantizeLinear" or scale is None or scale.size != 1:
        return None
    zero_point = 0 if zero is None else int(zero.reshape(()))
    lowest, highest = integer_range(np.zeros((), np.uint8) if zero is None else zero)
    step = float(scale.reshape(()))
    bounds = Bounds(step * (lowest - zero_point), step * (highest - zero_point), step, zero_point)
    return Match(bounds, (node, reader))


def integer_range(values: Array) -> tuple[int, int]:
    """The smallest and largest integer of an array's element type, 2 and 4 bits included."""
    info: Any = ml_dtypes.iinfo(values.dtype)  # type: ignore[no-untyped-call]
    return int(info.min), int(info.max)
