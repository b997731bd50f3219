"""Plan + canonical graph → spiking ONNX."""

from onnx2snn.emit.assemble import emit

__all__ = ["emit"]
