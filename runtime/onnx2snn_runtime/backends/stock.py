"""Stock onnxruntime: its own operators, nothing of ours in the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
import onnxruntime

from onnx2snn_runtime.backend import BACKENDS, BackendOptions, Executable
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.packed import with_float_weights, with_integer_sums
from onnx2snn_runtime.unrolled.executables import UnrolledExecutables

CPU = "CPUExecutionProvider"

#: onnxruntime warns that `timesteps` can be overridden, which is its purpose; errors are raised.
LOG_FATAL_ONLY = 4
#: The value that asks onnxruntime 1.22 and later for float32 activations; older ones know no other.
FLOAT32 = "1"


class StockExecutable:
    """A model in an onnxruntime inference session, with a library of custom ops if given."""

    most_steps: int | None = None

    def __init__(
        self, model: onnx.ModelProto, options: BackendOptions, custom_ops: Path | None = None
    ) -> None:
        unknown = set(options.providers) - set(onnxruntime.get_available_providers())
        if unknown:
            raise BackendError(
                f"execution provider {', '.join(sorted(unknown))} is not in this onnxruntime",
                remedy=f"available: {', '.join(onnxruntime.get_available_providers())}",
            )
        session_options = onnxruntime.SessionOptions()
        session_options.log_severity_level = LOG_FATAL_ONLY
        session_options.intra_op_num_threads = options.threads
        # Patterns reserve one block for all tensors of a run, beside what the arena holds already:
        # twice the memory from the second run on, for no gain in time.
        session_options.enable_mem_pattern = False
        # Matrices of integers times a scale would be multiplied with activations rounded to 8 bits.
        session_options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", FLOAT32)
        if not options.spinning:
            session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if custom_ops:
            session_options.register_custom_ops_library(str(custom_ops))
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), session_options, providers=list(options.providers)
            )
        except Exception as error:  # onnxruntime's own exceptions share no useful base class
            raise BackendError(f"onnxruntime cannot load the model: {error}") from error

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """The named outputs for the given inputs."""
        try:
            values: list[npt.NDArray[Any]] = self._session.run(list(outputs), dict(feeds))
        except Exception as error:  # as above
            raise BackendError(f"onnxruntime cannot run the model: {error}") from error
        return values


def is_cpu_alone(options: BackendOptions) -> bool:
    """Whether no provider but onnxruntime's for the CPU is asked for."""
    return set(options.providers) <= {CPU}


def for_stock(model: onnx.ModelProto, options: BackendOptions) -> onnx.ModelProto:
    """The model as onnxruntime's CPU provider is fast at it, where that is alone.

    Wide layers of integers become integer sums, the weights of other convolutions floats.
    """
    if not is_cpu_alone(options):
        return model
    return with_float_weights(with_integer_sums(model))


@BACKENDS.register("stock")
def load(model: onnx.ModelProto, options: BackendOptions) -> Executable:
    """The model in onnxruntime sessions, without anything of ours in the process.

    Where onnxruntime's CPU provider is alone, wide layers of integers become integer sums, and
    windows of images are unrolled.
    """

    def load_one(model: onnx.ModelProto) -> StockExecutable:
        return StockExecutable(model, options)

    model = for_stock(model, options)
    unrolled = UnrolledExecutables.of(model, load_one) if is_cpu_alone(options) else None
    return unrolled or load_one(model)
