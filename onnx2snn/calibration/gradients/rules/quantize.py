"""Quantizers in the analog part behind the last layer.

Between the two nodes of a pair the gradient is that of the value the integer stands for, so the
scales, which would cancel, are left out: straight through.
"""

from __future__ import annotations

import onnx

from onnx2snn.calibration.gradients.backward import GRADIENTS, Backward


@GRADIENTS.register("QuantizeLinear", "DequantizeLinear")
def quantize(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The gradient itself, to the value; saturation is not looked at."""
    backward.add(node.input[0], gradient)
