"""Exact integers against float32 ones, layer by layer: every difference must be a near-tie.

Each layer is computed exactly from the integers that onnxruntime, computing in float32, gave to it;
so a flip is not counted again in later layers. Where the two differ, they may do so by one level
only, and the exact value must lie so close to the boundary between these levels that float32, in
whatever order of summation, may be on the other side of it.

Integers that a quantized kernel gives (QLinearConv and its like, in a QOperator file) are taken as
they are: they have an arithmetic of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from onnx2snn.evaluation.kernels import KernelNetwork
from onnx2snn.evaluation.rational import RationalNetwork, Rounded
from onnx2snn.evaluation.rational.network import QUANTIZE

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class NearTie:
    """An element on which exact and float32 arithmetic differ.

    Attributes:
        quantizer: name of the QuantizeLinear node.
        index: sample first, counted over all batches.
        exact: the integer of exact arithmetic.
        float32: the integer of float32 arithmetic.
        distance: of the exact value from the boundary between the two, in steps.
        reach: how far float32 arithmetic may be from the exact value, in steps.
    """

    quantizer: str
    index: tuple[int, ...]
    exact: int
    float32: int
    distance: float
    reach: float

    @property
    def proven(self) -> bool:
        """Whether they differ by one level, and rounding errors explain it."""
        return abs(self.exact - self.float32) == 1 and self.distance <= self.reach


@dataclass
class _Tally:
    compared: dict[str, int] = field(default_factory=dict)
    found: list[NearTie] = field(default_factory=list)
    plain: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FloatComparison:
    """What was compared.

    Attributes:
        samples: number of samples.
        compared: elements by quantizer.
        differences: every element that differs.
        unexplained: by quantizer: elements that differ although both were computed in float32.
    """

    samples: int
    compared: dict[str, int]
    differences: tuple[NearTie, ...]
    unexplained: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether every difference is a proven near-tie."""
        return all(d.proven for d in self.differences) and not any(self.unexplained.values())


def compare_with_float32(
    network: onnx.ModelProto, canonical: onnx.ModelProto, batches: Iterable[Mapping[str, Array]]
) -> FloatComparison:
    """Compare every quantizer of float32 values.

    Args:
        network: the quantized network that onnxruntime runs with its graph optimization off.
        canonical: its canonical form with integer weights.
        batches: model inputs.

    Raises:
        ModelFileError: a quantizer of the canonical form is not in the network.
        BackendError: onnxruntime cannot run it.
        UnsupportedModelError: an integer grows beyond 2^53.
    """
    exact = RationalNetwork(canonical, bounds=True)
    tensors = {name: exact.tensor_of(name) for name in exact.quantizers}
    plain = KernelNetwork(network, list(tensors.values()), optimize=False)
    tally = _Tally()
    samples = 0
    for feeds in batches:
        integers, _ = plain.run(feeds)
        given = {name: integers[tensor] for name, tensor in tensors.items()}
        start = samples

        def observe(
            rounded: Rounded, given: Mapping[str, Array] = given, start: int = start
        ) -> None:
            if plain.kernels[tensors[rounded.name]] == QUANTIZE:
                _compare(rounded, given[rounded.name], start, tally)

        exact.run(feeds, observe, given)
        samples += len(next(iter(feeds.values())))
    return FloatComparison(samples, tally.compared, tuple(tally.found), tally.plain)


def _compare(rounded: Rounded, theirs: Array, start: int, tally: _Tally) -> None:
    name = rounded.name
    ours = rounded.integers.astype(np.int64)
    tally.compared[name] = tally.compared.get(name, 0) + ours.size
    places = np.argwhere(ours != theirs)
    if rounded.steps is None or rounded.reach is None:
        tally.plain[name] = tally.plain.get(name, 0) + len(places)
        return
    points = np.broadcast_to(rounded.zero_point, ours.shape)
    reach = np.broadcast_to(rounded.reach, ours.shape)
    for row in places:
        at = tuple(int(i) for i in row)
        boundary = Fraction(int(ours[at]) + int(theirs[at]), 2) - int(points[at])
        distance = float(abs(rounded.steps.at(at) - boundary))
        index = (start + at[0], *at[1:])
        tally.found.append(
            NearTie(name, index, int(ours[at]), int(theirs[at]), distance, float(reach[at]))
        )
