"""Exact networks: spiking neurons that speak the very integers of a quantized network.

Every tensor between two quantizers is an integer accumulator, a unit and an offset, all exact
rationals; a quantizer at the end is a table of accumulators. No number is rounded on the way.
"""

from onnx2snn.exact.convert import convert_exactly

__all__ = ["convert_exactly"]
