"""How many multiplications and additions the layers of a network need for one sample.

One multiply-accumulate is one product added to a sum; biases and activations are not counted::

    Conv           places of the output · output channels · input channels / groups · kernel
    ConvTranspose  places of the input · input channels · output channels / groups · kernel
    Gemm, MatMul   values of the output · length of the sums
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import onnx_graphsurgeon as gs

from onnx2snn.graphs import sample_shape


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
