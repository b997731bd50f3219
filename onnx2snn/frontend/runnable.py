"""The source as a model that onnxruntime can run."""

from __future__ import annotations

import os

import onnx
import onnx_graphsurgeon as gs

from onnx2snn.frontend.dialects.qonnx import DOMAINS
from onnx2snn.frontend.pipeline import canonicalise
from onnx2snn.frontend.source import read_source


def runnable(source: str | os.PathLike[str] | onnx.ModelProto | gs.Graph) -> onnx.ModelProto:
    """The source itself; its canonical form, integers kept, where it is written in QONNX.

    Raises:
        ModelFileError: it cannot be read.
        UnsupportedModelError: a QONNX operator is used in a way that is not known.
    """
    model, file = read_source(source)
    if any(node.domain in DOMAINS for node in model.graph.node):
        return canonicalise(model, file, keep_integers=True).to_model()
    return model
