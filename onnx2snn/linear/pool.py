"""Average pools that are kept as synapses."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array
from onnx2snn.linear.base import LINEAR, Affine


class _Pool(Affine):
    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        return amplitude if all(d == 1 for d in amplitude.shape[1:]) else None


LINEAR.register("AveragePool", "GlobalAveragePool")(_Pool())
