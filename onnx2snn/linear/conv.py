"""Conv and ConvTranspose: the amplitude scales the input channels of the weights."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, constant, input_at, new_constant
from onnx2snn.linear.base import LINEAR, Affine, per_channel


class _Conv(Affine):
    def reason(self, node: gs.Node) -> str | None:
        if constant(input_at(node, 1)) is None:
            return "its weights are computed from the input"
        if input_at(node, 2) is not None and constant(input_at(node, 2)) is None:
            return "its bias is computed from the input"
        return None

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        weights = constant(input_at(node, 1))
        if index != 0 or weights is None:
            return False
        groups = int(node.attrs.get("group", 1))
        transposed = node.op == "ConvTranspose"
        channels = weights.shape[0] if transposed else weights.shape[1] * groups
        values = per_channel(amplitude, channels)
        if values is None:
            return False
        if transposed:
            rows = values.reshape(-1, 1)
        else:
            rows = np.repeat(values.reshape(groups, -1), weights.shape[0] // groups, axis=0)
        scaled = weights * rows.reshape(*rows.shape, *([1] * (weights.ndim - 2)))
        node.inputs[1] = new_constant(graph, f"{node.name}_weight", scaled.astype(weights.dtype))
        return True


LINEAR.register("Conv", "ConvTranspose")(_Conv())
