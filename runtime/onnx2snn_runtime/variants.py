"""The variants of a model that answer a session's questions, loaded when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx

from onnx2snn_runtime import carry, instrument
from onnx2snn_runtime.backend import Backend, BackendOptions, Executable


class Variants:
    """Loaded variants of one model.

    Args:
        model: a spiking model.
        backend: loads them.
        options: of the backend.
        states: the model's states; none where its window cannot be cut.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        backend: Backend,
        options: BackendOptions,
        states: Sequence[carry.State],
    ) -> None:
        self._model = model
        self._backend = backend
        self._options = options
        self._free = carry.with_carried_states if states else carry.with_free_time
        self._loaded: dict[tuple[str, ...], Executable] = {}

    def plain(self) -> Executable:
        """The model as it is."""
        return self._get(("plain",), lambda: self._model)

    def observed(self) -> Executable:
        """It answers after every step, and gives the activity of its populations.

        Raises:
            BackendError: a part of the network waits for a whole window.
        """
        readout = instrument.with_cumulative_readout
        return self._get(("observed",), lambda: instrument.with_rates(readout(self._model)))

    def with_rates(self) -> Executable:
        """It gives the activity of its populations."""
        return self._get(("rates",), lambda: instrument.with_rates(self._model))

    def settling(self) -> Executable:
        """It gives the activity of all that speaks, encoders too."""
        speaking = instrument.speaking_nodes(self._model)
        return self._get(("settling",), lambda: instrument.with_rates(self._model, speaking))

    def traced(self, tensors: Sequence[str]) -> Executable:
        """It gives the tensors named."""
        return self._get(
            ("traced", *tensors), lambda: instrument.with_outputs(self._model, tensors)
        )

    def _get(self, key: tuple[str, ...], make: Callable[[], onnx.ModelProto]) -> Executable:
        if key not in self._loaded:
            self._loaded[key] = self._backend(self._free(make()), self._options)
        return self._loaded[key]
