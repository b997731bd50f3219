"""none: biases stay as they are."""

from onnx2snn.methods.base import BIASES, BiasMethod

BIASES.register("none")(BiasMethod("none", "biases stay as they are"))
