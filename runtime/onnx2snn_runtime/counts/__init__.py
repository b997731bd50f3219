"""Counts instead of steps: a window of T steps in one pass, where every population allows it.

A neuron that waits for the whole window depends on the sum of its currents alone, and a linear
layer turns the sum of its input's spikes into the sum of its currents. So a network of such neurons
is an ordinary network of spike counts: as many operations as one inference of the source for any T,
T times fewer than step by step. The file stays what it is. The session rewrites it when it loads
it, with one rule per op (:mod:`onnx2snn_runtime.counts.rules`); where there is none, it simulates
steps.
"""

from onnx2snn_runtime.counts.draft import NotCountableError
from onnx2snn_runtime.counts.executables import Counts

__all__ = ["Counts", "NotCountableError"]
