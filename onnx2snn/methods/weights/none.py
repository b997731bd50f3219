"""none: weights stay as they are."""

from onnx2snn.methods.base import WEIGHTS, WeightMethod

WEIGHTS.register("none")(WeightMethod("none", "weights stay as they are"))
