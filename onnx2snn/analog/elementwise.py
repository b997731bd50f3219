"""Functions of single values, of one tensor or of several that are broadcast."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.analog.base import ANALOG
from onnx2snn.linear.elementwise import mixes_rows

ACTIVATIONS = (
    "Celu", "Clip", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish",
    "Relu", "Selu", "Shrink", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
)  # fmt: skip
FUNCTIONS = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Cos", "Cosh",
    "Exp", "Floor", "Identity", "Log", "Neg", "Not", "Reciprocal", "Round", "Sign", "Sin", "Sinh",
    "Sqrt", "Tan",
)  # fmt: skip
OF_SEVERAL = (
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
    "Min", "Mod", "Mul", "Or", "Pow", "PRelu", "Sub", "Where", "Xor",
)  # fmt: skip


@ANALOG.register(*ACTIVATIONS, *FUNCTIONS, "QuantizeLinear", "DequantizeLinear")
def of_one(node: gs.Node) -> str | None:
    """Every value for itself."""
    return None


@ANALOG.register(*OF_SEVERAL)
def of_several(node: gs.Node) -> str | None:
    """Alike, unless broadcasting moves the batch axis."""
    return mixes_rows(node)
