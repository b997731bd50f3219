"""How many multiplications and additions the layers of a network need for one sample.

One multiply-accumulate is one product added to a sum; biases and activations are not counted::

    Conv           places of the output · output channels · input channels / groups · kernel
    ConvTranspose  places of the input · input channels · output channels / groups · kernel
    Gemm, MatMul   values of the output · length of the sums
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import onnx_graphsurgeon as gs

from onnx2snn.graphs import sample_shape


@dataclass(frozen=True)
class Workload:
    """Multiply-accumulates of a network for one sample.

    Attributes:
        total: of all layers whose size is known.
        in_time: of those that run at every time step, once.
        unknown: names of layers whose size is not known.
    """

    total: int
    in_time: int
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, macs: Mapping[str, int | None], regions: Mapping[str, str]) -> Workload:
        """Sum up what :func:`multiply_accumulates` found; ``regions`` says what is in "time"."""
        known = {name: count for name, count in macs.items() if count is not None}
        return cls(
            sum(known.values()),
            sum(count for name, count in known.items() if regions[name] == "time"),
            tuple(name for name in macs if name not in known),
        )

    @property
    def analog(self) -> int:
        """Of layers that run once for a window."""
        return self.total - self.in_time

    @property
    def share_in_time(self) -> float | None:
        """``in_time`` of ``total``; None where nothing is known."""
        return self.in_time / self.total if self.total else None


def multiply_accumulates(graph: gs.Graph) -> Mapping[str, int | None]:
    """By the name of every Conv, ConvTranspose, Gemm and MatMul; None where a size is unknown."""
    return {n.name: COUNTS[n.op](n) for n in graph.nodes if not n.domain and n.op in COUNTS}


def _convolution(node: gs.Node) -> int | None:
    """Every value of the output sums over the weights of its channel."""
    return _product(sample_shape(node.outputs[0]), (node.inputs[1].shape or (None,))[1:])


def _transposed(node: gs.Node) -> int | None:
    """Every value of the input is spread with the weights of its channel."""
    return _product(sample_shape(node.inputs[0]), (node.inputs[1].shape or (None,))[1:])


def _matrix(node: gs.Node) -> int | None:
    """Every value of the output is a sum over the inner axis."""
    return _product(sample_shape(node.outputs[0]), (node.inputs[0].shape or (None,))[-1:])


def _product(places: tuple[int, ...] | None, each: tuple[object, ...]) -> int | None:
    lengths = [d for d in each if isinstance(d, int)]
    if places is None or len(lengths) != len(each):
        return None
    return prod(places) * prod(lengths)


COUNTS = {"Conv": _convolution, "ConvTranspose": _transposed, "Gemm": _matrix, "MatMul": _matrix}
