"""Spikes of one byte and integer sums, in the place of float tensors, where the kernels allow it.

A rewrite of a loaded model, never of a file: layers whose weights are int8 behind a
DequantizeLinear and which read spikes become ops of a private domain, together with the neurons
that they drive. ``layers.py`` knows such layers and packs their weights, ``chains.py`` finds what
lies between a layer and its neurons, ``spikes.py`` keeps spikes packed through pools and views,
``rewrite.py`` puts the parts together. ``stock.py`` does with onnxruntime's nodes what these can,
``float_weights.py`` gives it floats where that is faster.
"""

from onnx2snn_runtime.packed.float_weights import with_float_weights
from onnx2snn_runtime.packed.rewrite import with_packed_spikes
from onnx2snn_runtime.packed.stock import with_integer_sums

__all__ = ["with_float_weights", "with_integer_sums", "with_packed_spikes"]
