"""Plan + canonical graph → spiking ONNX."""

from onnx2snn.emit.assemble import coded_inputs, emit, rounded_corrections

__all__ = ["coded_inputs", "emit", "rounded_corrections"]
