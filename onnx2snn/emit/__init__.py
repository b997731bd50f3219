"""Plan + canonical graph → spiking ONNX."""

from onnx2snn.emit.assemble import emit, rounded_corrections

__all__ = ["emit", "rounded_corrections"]
