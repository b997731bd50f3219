"""What a backend is: a model in, an executable out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt
import onnx

from onnx2snn_runtime.registry import Registry


@dataclass(frozen=True)
class BackendOptions:
    """How to execute.

    Attributes:
        providers: onnxruntime execution providers, in order of preference.
        threads: threads of one operator; 0 for the backend's default.
        profile: where onnxruntime writes a profile, without the ending; empty for none.
        spinning: whether threads without work wait busily. That is faster for one long run, and
            costs twice the CPU time where many short ones are made, or another program is busy.
    """

    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 0
    profile: str = ""
    spinning: bool = True


class Executable(Protocol):
    """A loaded model."""

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """The named outputs for the given inputs."""
        ...


class Backend(Protocol):
    """Loads a model."""

    def __call__(self, model: onnx.ModelProto, options: BackendOptions) -> Executable:
        """An executable of the model.

        Raises:
            BackendError: the backend cannot execute it here.
        """
        ...


BACKENDS: Registry[Backend] = Registry("backend", "onnx2snn_runtime.backends")
