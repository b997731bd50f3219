"""The command line: one verb per file. Only this room prints."""

from onnx2snn.cli.main import main

__all__ = ["main"]
