"""The oracle: onnx.reference, with the NumPy definition of every spiking op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.opspec import DOMAIN, OPS, OpSpec

#: The evaluator knows QuantizeLinear and DequantizeLinear from this opset on. Nothing that a file
#: of opset 18 can hold changed its meaning in it.
KNOWN_OPSET, LIFTED_OPSET = 19, 18


def operator(spec: OpSpec) -> type[OpRun]:
    """The op as a class for ``ReferenceEvaluator(new_ops=...)``."""

    def _run(self: OpRun, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
        given = {k: v for k, v in attributes.items() if v is not None}
        return spec.window(*inputs, **(spec.defaults() | given))

    return type(spec.name, (OpRun,), {"op_domain": DOMAIN, "_run": _run})


class ReferenceExecutable:
    """A model in the ONNX reference evaluator. Slow and plain."""

    most_steps: int | None = None

    def __init__(self, model: onnx.ModelProto) -> None:
        bare = onnx.ModelProto()
        bare.CopyFrom(model)
        # Without the function bodies every spiking node runs its NumPy definition.
        others = [f for f in model.functions if f.domain != DOMAIN]
        del bare.functions[:]
        bare.functions.extend(others)
        for imported in bare.opset_import:
            if imported.domain == "" and imported.version == LIFTED_OPSET:
                imported.version = KNOWN_OPSET
        try:
            self._evaluator = ReferenceEvaluator(bare, new_ops=[operator(s) for s in OPS])
        except Exception as error:  # onnx raises several unrelated kinds here
            raise BackendError(f"onnx.reference cannot load the model: {error}") from error

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """The named outputs for the given inputs."""
        try:
            values = self._evaluator.run(list(outputs), dict(feeds))
        except Exception as error:  # as above
            raise BackendError(f"onnx.reference cannot run the model: {error}") from error
        return [np.asarray(v) for v in values]


@BACKENDS.register("reference")
def load(model: onnx.ModelProto, options: BackendOptions) -> ReferenceExecutable:
    """The model in the reference evaluator; the options do not apply to it."""
    return ReferenceExecutable(model)
