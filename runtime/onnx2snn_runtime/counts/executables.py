"""The counting form of a model, loaded for one T after the other."""

from __future__ import annotations

import logging
from collections import OrderedDict

import onnx

from onnx2snn_runtime.backend import Backend, BackendOptions, Executable
from onnx2snn_runtime.counts.draft import NotCountableError
from onnx2snn_runtime.counts.rewrite import rewrite
from onnx2snn_runtime.spiking_file import file_timesteps

LOG = logging.getLogger(__name__)
#: T is a constant in the counting form, so that it is folded into biases; so many forms are kept.
KEPT = 4


class Counts:
    """Loaded counting forms of one model.

    Args:
        model: a spiking model that has one, see :meth:`of`.
        backend: loads them.
        options: of the backend.
        kernels: whether the backend has the compiled kernels.
    """

    def __init__(
        self, model: onnx.ModelProto, backend: Backend, options: BackendOptions, *, kernels: bool
    ) -> None:
        self._model = model
        self._backend = backend
        self._options = options
        self._kernels = kernels
        self._loaded: OrderedDict[tuple[int, bool], Executable] = OrderedDict()

    @classmethod
    def of(
        cls,
        model: onnx.ModelProto,
        backend: Backend,
        options: BackendOptions,
        *,
        kernels: bool = False,
    ) -> Counts | None:
        """The counting form of a model, loaded for its own T; None where it has none.

        Raises:
            BackendError: the backend cannot execute it.
        """
        counts = cls(model, backend, options, kernels=kernels)
        try:
            counts.plain(file_timesteps(model))
        except NotCountableError as reason:
            LOG.info("simulated step by step: %s", reason)
            return None
        return counts

    def plain(self, timesteps: int) -> Executable:
        """Gives the outputs after T steps."""
        return self._get(timesteps, rates=False)

    def with_rates(self, timesteps: int) -> Executable:
        """Gives also the spikes per neuron of every population, [N]."""
        return self._get(timesteps, rates=True)

    def _get(self, timesteps: int, *, rates: bool) -> Executable:
        key = (timesteps, rates)
        if key not in self._loaded:
            model = rewrite(self._model, timesteps, rates=rates, kernels=self._kernels)
            self._loaded[key] = self._backend(model, self._options)
            if len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]
