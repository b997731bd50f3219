"""From any ONNX dialect to the canonical graph."""

from onnx2snn.frontend.pipeline import canonicalise
from onnx2snn.frontend.source import read_source

__all__ = ["canonicalise", "read_source"]
