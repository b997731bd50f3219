"""What the converter must know of an operator that may stand between two populations.

A spiking tensor has one row for each time step and sample, [T·N, ...]. An operator may act on it
if it is affine, keeps axis 0, and treats every row alike.

Amplitudes: a population emits spikes of one unit, worth an amplitude A, either one number or an
array that broadcasts against one sample ([C, 1, 1]). The product A·s moves forward::

    Conv(A·s, W)   =  Conv(s, W·A)         absorb: the weights take it
    Pool(A·s)      =  A·Pool(s)            carry: it moves behind the operator
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, sample_shape
from onnx2snn_runtime.registry import Registry


class LinearOp(Protocol):
    """An operator family."""

    def reason(self, node: gs.Node) -> str | None:
        """Why this node may not act on rows [T·N, ...]; None if it may."""
        ...

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        """Take the amplitude of input ``index`` into the node's constants, if that is possible."""
        ...

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        """The amplitude behind the node of its only data input, or None if it cannot pass."""
        ...

    def moves(self, node: gs.Node) -> bool:
        """Whether each output value is an input value, or zero: spikes stay spikes."""
        ...


class Affine:
    """Defaults: nothing absorbed, nothing carried."""

    def reason(self, node: gs.Node) -> str | None:
        """No objection."""
        return None

    def absorb(self, graph: gs.Graph, node: gs.Node, index: int, amplitude: Array) -> bool:
        """Not possible."""
        return False

    def carry(self, node: gs.Node, amplitude: Array) -> Array | None:
        """Not possible."""
        return None

    def moves(self, node: gs.Node) -> bool:
        """It computes."""
        return False


LINEAR: Registry[LinearOp] = Registry("linear operator", "onnx2snn.linear")


def is_uniform(amplitude: Array) -> bool:
    """Whether the amplitude is one number."""
    return amplitude.size == 1


def per_channel(amplitude: Array, channels: int) -> Array | None:
    """The amplitude as a vector over axis 1, or None if it differs within a channel."""
    if is_uniform(amplitude):
        return amplitude.reshape(-1).repeat(channels)
    if amplitude.size == amplitude.shape[0] == channels:
        return amplitude.reshape(-1)
    return None


def whole_map(node: gs.Node, amplitude: Array) -> Array | None:
    """The amplitude as one value for each place of the node's input, or None if that is unknown."""
    shape = sample_shape(node.inputs[0])
    if shape is None or amplitude.ndim > len(shape):
        return None
    return np.ascontiguousarray(np.broadcast_to(amplitude, shape))


def compact(amplitude: Array) -> Array:
    """The smallest array that broadcasts to the same: axes of equal values shrink to one."""
    for axis in range(amplitude.ndim):
        first = amplitude.take([0], axis=axis)
        if (amplitude == first).all():
            amplitude = first
    return amplitude
