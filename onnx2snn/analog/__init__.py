"""Operators that may be computed on means over the window, between two spiking parts.

Each entry says whether a node treats samples alike. One file per family; ``ANALOG`` finds them by
importing this folder.
"""

from onnx2snn.analog.base import ANALOG, RowRule

__all__ = ["ANALOG", "RowRule"]
