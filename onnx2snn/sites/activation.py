"""What is known of an activation function that neurons can replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import onnx_graphsurgeon as gs

from onnx2snn_runtime.registry import Registry


@dataclass(frozen=True)
class Bounds:
    """The identity, clipped to [lower, upper], on a grid of ``scale`` if there is a quantizer."""

    lower: float
    upper: float
    scale: float | None = None
    zero_point: int | None = None

    def then(self, other: Bounds) -> Bounds:
        """This function followed by another."""
        quantized = other if other.scale is not None else self
        return Bounds(
            max(self.lower, other.lower),
            min(self.upper, other.upper),
            quantized.scale,
            quantized.zero_point,
        )

    @property
    def levels(self) -> int | None:
        """Number of values between the bounds, of a quantizer."""
        if self.scale is None:
            return None
        return round((self.upper - self.lower) / self.scale) + 1


@dataclass(frozen=True)
class Match:
    """An activation that starts at a node: what it does, and the nodes that make it up."""

    bounds: Bounds
    nodes: tuple[gs.Node, ...]


class Activation(Protocol):
    """Recognises an activation function at a node."""

    def __call__(self, graph: gs.Graph, node: gs.Node) -> Match | None:
        """The activation that starts here, or None."""
        ...


#: Where they are no activation they only round, and rates do not need their grid.
PASSIVE_QUANTIZER = frozenset({"QuantizeLinear", "DequantizeLinear"})

ACTIVATIONS: Registry[Activation] = Registry("activation", "onnx2snn.sites")
