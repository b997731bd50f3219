"""A model unrolled for windows of several lengths."""

from __future__ import annotations

import platform
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy.typing as npt
import onnx

from onnx2snn_runtime.backend import Executable
from onnx2snn_runtime.memory import even_steps
from onnx2snn_runtime.spiking_file import file_timesteps
from onnx2snn_runtime.time_axis import TIMESTEPS
from onnx2snn_runtime.unrolled.rewrite import unroll

#: What a step of a layer costs by itself is shared by samples. More steps at once share only what a
#: window costs by itself, and make a graph that takes longer to load.
ENOUGH_STEPS = 8
#: So many lengths stay loaded, each with weights of its own.
KEPT = 3
#: Processors on which onnxruntime has a layout of its own for convolutions.
PROCESSORS = frozenset({"x86_64", "AMD64"})


class UnrolledExecutables:
    """Executables of one model, for the length of the window that is asked for.

    Args:
        model: a spiking model that can be unrolled, see :meth:`of`.
        load: loads a model.
    """

    most_steps: int | None = ENOUGH_STEPS

    def __init__(
        self, model: onnx.ModelProto, load: Callable[[onnx.ModelProto], Executable]
    ) -> None:
        self._model = model
        self._load = load
        self._default = file_timesteps(model)
        self._loaded: OrderedDict[int, Executable] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def of(
        cls, model: onnx.ModelProto, load: Callable[[onnx.ModelProto], Executable]
    ) -> UnrolledExecutables | None:
        """The executables of a model, one of them loaded; None where unrolling gains nothing.

        Raises:
            BackendError: it cannot be loaded.
        """
        timed = any(t.name == TIMESTEPS for t in model.graph.initializer)
        if platform.machine() not in PROCESSORS or not timed:
            return None
        steps = even_steps(file_timesteps(model), ENOUGH_STEPS)
        unrolled = unroll(model, steps)
        if unrolled is None or not unrolled.gains:
            return None
        found = cls(model, load)
        found._loaded[steps] = load(unrolled.model)
        return found

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """The named outputs for the given inputs."""
        return self._get(int(feeds.get(TIMESTEPS, self._default))).run(outputs, feeds)

    def _get(self, steps: int) -> Executable:
        """The executable for windows of so many steps; with bodies, if they are many."""
        with self._lock:
            if steps not in self._loaded:
                unrolled = unroll(self._model, steps)
                self._loaded[steps] = self._load(unrolled.model if unrolled else self._model)
                if len(self._loaded) > KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(steps)
            return self._loaded[steps]
