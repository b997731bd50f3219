"""Whose integers an exact spiking network is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from onnx2snn.evaluation.kernels import KernelNetwork
from onnx2snn.evaluation.rational import RationalNetwork, Rounded

Array: TypeAlias = npt.NDArray[Any]
#: Called with a quantizer's name and its integers without zero point, int64 [N, ...].
Listener: TypeAlias = Callable[[str, Array], None]


class Oracle(Protocol):
    """Computes a quantized network and tells its integers."""

    @property
    def kernels(self) -> Mapping[str, str]:
        """By quantizer: the onnxruntime operator that gives its integers; empty without one."""
        ...

    def run(self, feeds: Mapping[str, Array], listen: Listener) -> dict[str, Array]:
        """Tell every quantizer's integers; gives the network's outputs."""
        ...


class RationalOracle:
    """The integers of exact arithmetic.

    Args:
        source: the network as its file holds it.
        exact: its canonical form.
        populations: names of the quantizers of interest.
    """

    def __init__(
        self, source: onnx.ModelProto, exact: RationalNetwork, populations: Sequence[str]
    ) -> None:
        self._exact = exact

    @property
    def kernels(self) -> Mapping[str, str]:
        """None."""
        return {}

    def run(self, feeds: Mapping[str, Array], listen: Listener) -> dict[str, Array]:
        """As :class:`Oracle` says."""

        def observe(rounded: Rounded) -> None:
            listen(rounded.name, rounded.integers.astype(np.int64) - rounded.zero_point)

        return self._exact.run(feeds, observe)


class KernelOracle:
    """The integers of onnxruntime's kernels; arguments as of :class:`RationalOracle`.

    Raises:
        ModelFileError: a quantizer's tensor is not in the source.
        BackendError: onnxruntime cannot load it.
    """

    def __init__(
        self, source: onnx.ModelProto, exact: RationalNetwork, populations: Sequence[str]
    ) -> None:
        self._exact = exact
        self._tensors = {name: exact.tensor_of(name) for name in populations}
        self._network = KernelNetwork(source, list(self._tensors.values()))

    @property
    def kernels(self) -> Mapping[str, str]:
        """By quantizer."""
        return {n: self._network.kernels[t] for n, t in self._tensors.items()}

    def run(self, feeds: Mapping[str, Array], listen: Listener) -> dict[str, Array]:
        """As :class:`Oracle` says."""
        integers, outputs = self._network.run(feeds)
        for name, tensor in self._tensors.items():
            listen(name, self._exact.levels_of(name, integers[tensor]))
        return outputs


#: By the arithmetic's name.
ORACLES: Mapping[str, Callable[[onnx.ModelProto, RationalNetwork, Sequence[str]], Oracle]] = {
    "rational": RationalOracle,
    "ort": KernelOracle,
}
