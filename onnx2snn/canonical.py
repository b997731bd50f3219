"""The canonical graph: the source network in few forms, with float weights, still runnable ONNX."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.plan import Diagnostic

#: The symbol of the batch axis, wherever the source has none of its own.
BATCH = "N"
#: onnxruntime 1.17, the oldest that we support, runs files of this IR version.
IR_VERSION = 8


@dataclass(frozen=True)
class Moments:
    """Per-channel mean and standard deviation of a tensor's values over the training data."""

    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]


@dataclass(frozen=True)
class SourceInfo:
    """What of the source model must survive although graph tools drop it."""

    file: str | None
    digest: str
    opset: int
    dialects: tuple[str, ...]
    producer: str
    doc_string: str
    graph_doc_string: str
    metadata: dict[str, str]
    node_docs: dict[str, str]
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[onnx.ValueInfoProto, ...]
    operators: dict[str, int]
    domain: str = ""
    model_version: int = 0


@dataclass
class CanonicalGraph:
    """A network in canonical form.

    Attributes:
        graph: float weights, no batch norm, opset ``graph.opset``.
        source: what to carry over from the source model.
        moments: by tensor name: what batch norm knew of the tensors it made.
        diagnostics: what the way here did.
    """

    graph: gs.Graph
    source: SourceInfo
    moments: dict[str, Moments] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def to_model(self) -> onnx.ModelProto:
        """The canonical network as an ordinary ONNX model."""
        return export(self.graph)


def export(graph: gs.Graph) -> onnx.ModelProto:
    """A graph as a ModelProto whose IR version old runtimes accept."""
    graph.cleanup().toposort()
    model: onnx.ModelProto = gs.export_onnx(graph, do_type_check=False)
    model.ir_version = max(
        IR_VERSION, onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", graph.opset)])
    )
    return model
