"""Operators that act on each time step alone and linearly: they stay as they are in the file.

One file per family. ``LINEAR`` finds them by importing this folder.
"""

from onnx2snn.linear.base import LINEAR, LinearOp

__all__ = ["LINEAR", "LinearOp"]
