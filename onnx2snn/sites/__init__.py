"""Where populations of neurons will stand, and which part of the network lives in time.

One file per kind of activation; ``ACTIVATIONS`` finds them by importing this folder.
"""

from onnx2snn.sites.activation import ACTIVATIONS, Bounds
from onnx2snn.sites.find import find_sites
from onnx2snn.sites.islands import islands, refusals
from onnx2snn.sites.regions import Region, classify

__all__ = [
    "ACTIVATIONS",
    "Bounds",
    "Region",
    "classify",
    "find_sites",
    "islands",
    "refusals",
]
