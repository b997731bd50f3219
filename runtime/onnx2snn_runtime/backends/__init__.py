"""Ways to execute a spiking file: one file per backend, found by importing this folder."""

from onnx2snn_runtime.backend import BACKENDS, Backend

__all__ = ["BACKENDS", "Backend"]
