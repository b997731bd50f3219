"""What has no exact value: one node in onnxruntime, in float32, as in the spiking file."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper

from onnx2snn.evaluation.rational.exact import Array
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable


class OrdinaryNode:
    """A node of the canonical graph as a model of its own.

    Args:
        node: the node.
        imports: the operator sets of its model.
        ir_version: of its model.
    """

    def __init__(
        self, node: onnx.NodeProto, imports: Sequence[onnx.OperatorSetIdProto], ir_version: int
    ) -> None:
        self._node = node
        self._imports = imports
        self._ir_version = ir_version
        self._executable: StockExecutable | None = None

    def run(self, inputs: Sequence[Array | None]) -> list[Array]:
        """The node's outputs.

        Raises:
            BackendError: onnxruntime cannot compute it.
        """
        feeds = {
            name: value
            for name, value in zip(self._node.input, inputs, strict=True)
            if value is not None
        }
        if self._executable is None:
            self._executable = StockExecutable(self._model(feeds), BackendOptions())
        return self._executable.run([o for o in self._node.output if o], feeds)

    def _model(self, feeds: dict[str, Array]) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim
            )
            for name, value in feeds.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in self._node.output if name]
        graph = helper.make_graph([self._node], "node", inputs, outputs)
        return helper.make_model(graph, opset_imports=self._imports, ir_version=self._ir_version)
