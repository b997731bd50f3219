"""none: layers stay as the walk left them."""

from onnx2snn.methods.base import TUNINGS, TuningMethod

TUNINGS.register("none")(TuningMethod("none", "layers stay as the walk left them"))
