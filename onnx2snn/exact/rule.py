"""What a rule is: how an operator between two quantizers acts on integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from onnx2snn.emit.state import ROWS, Emission
from onnx2snn.exact.integers import fractions
from onnx2snn.exact.signal import (
    FLOAT_EXACT,
    LARGEST,
    NotExact,
    Signal,
    refuse_beyond,
    shrunk,
)
from onnx2snn.graphs import Array, new_constant, rank, unique_name
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.registry import Registry


@dataclass
class Builder:
    """Puts nodes in time into the graph.

    Attributes:
        emission: the graph and what goes with it.
        code: how counts are spoken, as SpikeMaxPool must know: "count" or "radix".
        arithmetic: "rational", "ort", or "float" for neurons that need no whole numbers.
    """

    emission: Emission
    code: str
    arithmetic: str

    @property
    def opset(self) -> int:
        """The graph's opset."""
        return int(self.emission.graph.opset)

    def constant(self, base: str, values: Array) -> gs.Constant:
        """A new constant."""
        return new_constant(self.emission.graph, base, values)

    def node(
        self,
        op: str,
        like: gs.Node,
        inputs: Sequence[gs.Tensor],
        attrs: dict[str, object] | None = None,
        *,
        suffix: str = "integers",
        dtype: type = np.float32,
        shape_of: gs.Tensor | None = None,
        domain: str = "",
    ) -> gs.Variable:
        """The output of a new node in time that does for integers what ``like`` does for values."""
        graph = self.emission.graph
        name = f"{like.name}.{suffix}"
        given = (shape_of if shape_of is not None else like.outputs[0]).shape
        shape = None if given is None else [ROWS, *given[1:]]
        output = gs.Variable(unique_name(graph, f"{name}.value"), dtype, shape)
        self.emission.add(
            op, name, list(inputs), [output], Region.TIME, attrs=dict(attrs or {}), domain=domain
        )
        return output

    def scaled(self, node: gs.Node, signal: Signal, factors: Sequence[int], what: str) -> Signal:
        """The signal with its integers multiplied, one factor or one for each channel."""
        if all(f == 1 for f in factors):
            return signal
        most = max(abs(f) for f in factors)
        refuse_beyond(LARGEST, most * signal.reach, "a sum of differing scales")
        peak = most * signal.peak
        tensor = signal.tensor
        if peak >= FLOAT_EXACT:
            tensor = self.whole(node, tensor, what)
        ndim = rank(tensor)
        shape = [-1] if len(factors) == 1 or ndim is None else [-1, *([1] * (ndim - 2))]
        values = np.array(factors, dtype=np.int64).reshape(shape).astype(tensor.dtype)
        product = self.node(
            "Mul",
            node,
            [tensor, self.constant(f"{node.name}.{what}", values)],
            suffix=what,
            dtype=tensor.dtype,
            shape_of=signal.tensor,
        )
        return replace(signal, tensor=product, peak=peak, reach=most * signal.reach)

    def table_synapse(
        self, node: gs.Node, spikes: gs.Variable, entries: Array, lowest: int
    ) -> gs.Variable:
        """The current of a population through a table of its code."""
        emission, name = self.emission, f"{node.name}.table"
        current = emission.variable(f"{name}.current", node.outputs[0], in_time=True)
        code = emission.variable(f"{name}.code_final", node.outputs[0], in_time=False)
        current.dtype = code.dtype = np.int64
        emission.add(
            "TableSynapse",
            name,
            [
                spikes,
                self.constant(f"{name}.entries", entries),
                self.constant(f"{name}.code_min", np.array([lowest], dtype=np.int64)),
                self.constant(f"{name}.code_init", np.zeros(1, dtype=np.int64)),
                emission.timesteps,
            ],
            [current, code],
            Region.TIME,
            domain=DOMAIN,
            attrs={"code": self.code},
        )
        emission.docs[name] = "onnxruntime rounds this operand of the sum in float32 by itself."
        return current

    def whole(self, node: gs.Node, tensor: gs.Variable, what: str) -> gs.Variable:
        """The tensor as int64, where float32 has too few bits."""
        if tensor.dtype == np.int64:
            return tensor
        attrs: dict[str, object] = {"to": int(TensorProto.INT64)}
        return self.node(
            "Cast",
            node,
            [tensor],
            attrs,
            suffix=f"{what}.int64",
            dtype=np.int64,
            shape_of=tensor,
        )


class Rule(Protocol):
    """Carries signals through one node."""

    def __call__(self, build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
        """The signal behind the node; inputs that are constants have None.

        Raises:
            NotExact: the node cannot work on integers, and why.
        """
        ...


RULES: Registry[Rule] = Registry("exact rule", "onnx2snn.exact.rules")


def constant_operand(
    node: gs.Node, index: int, opset: int, channels: int | None
) -> tuple[Fraction, ...]:
    """A constant operand of an elementwise operator: one value, or one for each channel.

    Raises:
        NotExact: it differs within a channel.
    """
    tensor = node.inputs[index]
    values = fractions(tensor, opset)
    ndim, shape = rank(node.outputs[0]), tensor.shape
    if values is None or ndim is None or shape is None:
        raise NotExact("its operand is no finite constant")
    if len(values) == 1:
        return (values[0],)
    full = [1] * (ndim - len(shape)) + list(shape)
    if len(full) != ndim or any(d != 1 for i, d in enumerate(full) if i != 1):
        raise NotExact("its constant differs within a channel")
    if channels is not None and len(values) != channels:
        raise NotExact("its constant widens the tensor")
    return shrunk(values)


def channels_of(signal: Signal) -> int | None:
    """How many channels a signal has, if that is known."""
    shape = signal.tensor.shape
    known = shape is not None and len(shape) > 1 and isinstance(shape[1], (int, np.integer))
    return int(shape[1]) if known else None


def only(signals: Sequence[Signal | None]) -> Signal:
    """The signal of a node with one data input.

    Raises:
        NotExact: another input is computed too.
    """
    first = signals[0]
    if first is None or any(s is not None for s in signals[1:]):
        raise NotExact("it takes a computed tensor where a constant is needed")
    return first
