"""Nodes of several segments as one graph in onnxruntime."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from onnx2snn.segment import Segment
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable

Array = npt.NDArray[np.float32]
#: Segments are run so often that threads which wait busily would take half of the CPU time.
ALL_THREADS = BackendOptions(spinning=False)
#: For small batches: more threads would take more CPU time and hardly less time.
ONE_THREAD = BackendOptions(threads=1)


class Runnable:
    """Nodes in onnxruntime, those that outputs need; inputs are whatever nothing computes.

    Args:
        like: a model of the same opset.
        nodes: in topological order.
        constants: by name, those that are read or not.
        outputs: what :meth:`run` gives.
        known: types of inputs that are no float32.
    """

    def __init__(
        self,
        like: onnx.ModelProto,
        nodes: Sequence[onnx.NodeProto],
        constants: Iterable[onnx.TensorProto],
        outputs: Sequence[str],
        known: Mapping[str, onnx.ValueInfoProto],
    ) -> None:
        nodes = _needed(nodes, outputs)
        made = {name for node in nodes for name in node.output}
        read = dict.fromkeys(n for node in nodes for n in node.input if n and n not in made)
        model = onnx.ModelProto(ir_version=like.ir_version, opset_import=like.opset_import)
        model.graph.name = "counts"
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(t for t in constants if t.name in read)
        held = {t.name for t in model.graph.initializer}
        self.inputs = [name for name in read if name not in held]
        for name in self.inputs:
            plain = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            model.graph.input.append(known.get(name, plain))
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        self.outputs = list(outputs)
        self._executable = StockExecutable(model, ONE_THREAD)

    def run(self, *feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs; of a tensor in several feeds the first counts."""
        found = ChainMap(*map(dict, feeds))
        given = {name: found[name] for name in self.inputs}
        values = self._executable.run(self.outputs, given)
        return dict(zip(self.outputs, values, strict=True))


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """Without the nodes whose results nobody reads: onnxruntime would run them all the same."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_read_by(node))
    return kept[::-1]


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, graphs inside it too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _read_by(inner)


def source_network(segments: Sequence[Segment]) -> Runnable:
    """The source's own function: activations of all populations, and what results are judged by."""
    nodes: dict[str, onnx.NodeProto] = {}
    constants: dict[str, onnx.TensorProto] = {}
    known: dict[str, onnx.ValueInfoProto] = {}
    for segment in segments:
        proto = onnx.load_from_string(segment.reference)
        for node in proto.graph.node:
            nodes.setdefault(node.name, node)
        constants.update({t.name: t for t in proto.graph.initializer})
        known.update({i.name: i for i in proto.graph.input})
    wanted = dict.fromkeys(s.error if s.is_result and not s.site else s.target for s in segments)
    return Runnable(proto, list(nodes.values()), constants.values(), list(wanted), known)
