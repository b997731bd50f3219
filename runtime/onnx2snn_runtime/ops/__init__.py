"""The spiking op set, version 1: one file per op.

Each op is one :class:`~onnx2snn_runtime.opspec.OpSpec`. ``OPS`` finds them by importing this
folder.
"""

from onnx2snn_runtime.opspec import OPS, OpSpec

__all__ = ["OPS", "OpSpec"]
