"""The integers that onnxruntime's quantized kernels give.

A QDQ file is fused to QLinearConv and its like by the default graph optimization, a QOperator file
holds them. Extra graph outputs on the quantizers' tensors leave that as it is; what kernel made
which tensor is read from the optimized graph.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.errors import BackendError, ModelFileError

Array: TypeAlias = npt.NDArray[Any]

#: Without it, networks with int8 activations are fused in part only on x86.
FUSE_INT8 = "session.qdqisint8allowed"
#: Graph outputs and integer kernels tell all; nothing is to be printed.
LOG_FATAL_ONLY = 4


class KernelNetwork:
    """A quantized network in onnxruntime, whose integers can be seen.

    Args:
        source: the network as its file holds it.
        tensors: the integer tensors of interest.
        optimize: whether to fuse quantized operators, as onnxruntime does by default; else a QDQ
            file is computed in float32, operator by operator.

    Raises:
        ModelFileError: it holds no tensor of that name.
        BackendError: onnxruntime cannot load it.
    """

    def __init__(
        self, source: onnx.ModelProto, tensors: Sequence[str], *, optimize: bool = True
    ) -> None:
        tapped = _with_outputs(source, tensors)
        self._tensors = tuple(tensors)
        self._outputs = [o.name for o in source.graph.output]
        self._batch = _fixed_batch(source)
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "optimized.onnx"
            self._session = _session(tapped, optimize, written)
            self._kernels = _makers(onnx.load(str(written)), self._tensors)

    @property
    def kernels(self) -> Mapping[str, str]:
        """By tensor: the operator that gives it, in the optimized graph."""
        return self._kernels

    def run(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """The integers [N, ...] by tensor, and the network's outputs by name.

        Raises:
            BackendError: onnxruntime cannot run it.
        """
        names = [*self._tensors, *self._outputs]
        samples = len(next(iter(feeds.values())))
        size = self._batch or samples
        parts = []
        for start in range(0, samples, size):
            part = {name: value[start : start + size] for name, value in feeds.items()}
            try:
                parts.append(self._session.run(names, part))
            except Exception as error:  # onnxruntime's own exceptions share no useful base class
                raise BackendError(f"onnxruntime cannot run the source: {error}") from error
        values = [np.concatenate(v) for v in zip(*parts, strict=True)]
        found = dict(zip(names, values, strict=True))
        return {t: found[t] for t in self._tensors}, {o: found[o] for o in self._outputs}


def kernels_saturate() -> bool:
    """Whether products of uint8 and int8 saturate in int16 on this CPU, as on x86 without VNNI."""
    rows, columns = 64, 16
    weights = np.full((rows, columns), 127, dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, rows])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, columns])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = _session(model, True, None)
    (got,) = session.run(None, {"x": np.full((1, rows), 255, dtype=np.uint8)})
    return bool((got != 255 * 127 * rows).any())


def _with_outputs(source: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    made = {o for n in source.graph.node for o in n.output} | {i.name for i in source.graph.input}
    for name in tensors:
        if name not in made:
            raise ModelFileError(f"holds no tensor '{name}', whose integers are to be compared")
    tapped = onnx.ModelProto()
    tapped.CopyFrom(source)
    present = {o.name for o in tapped.graph.output}
    tapped.graph.output.extend(onnx.ValueInfoProto(name=t) for t in tensors if t not in present)
    return tapped


def _session(
    model: onnx.ModelProto, optimize: bool, written: Path | None
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = LOG_FATAL_ONLY
    options.add_session_config_entry(FUSE_INT8, "1")
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if written is not None:
        options.optimized_model_filepath = str(written)
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # as above
        raise BackendError(f"onnxruntime cannot load the source: {error}") from error


def _makers(optimized: onnx.ModelProto, tensors: Sequence[str]) -> dict[str, str]:
    """The operator behind each tensor, seen through the layout changes that the optimizer adds."""
    maker = {o: n for n in optimized.graph.node for o in n.output}
    found = {}
    for tensor in tensors:
        node = maker.get(tensor)
        while node is not None and node.op_type == "Transpose" and node.input[0] in maker:
            node = maker[node.input[0]]
        found[tensor] = node.op_type if node is not None else ""
    return found


def _fixed_batch(source: onnx.ModelProto) -> int:
    constants = {t.name for t in source.graph.initializer}
    first = next(i for i in source.graph.input if i.name not in constants)
    axes = first.type.tensor_type.shape.dim
    return int(axes[0].dim_value) if axes else 0
