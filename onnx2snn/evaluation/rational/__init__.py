"""A quantized network in exact rational arithmetic: the integers that its file means.

An oracle: it shares no code with the conversion whose results it judges.
"""

from onnx2snn.evaluation.rational.network import RationalNetwork, Rounded

__all__ = ["RationalNetwork", "Rounded"]
