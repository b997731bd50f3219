"""What the exact evaluation must know of an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import onnx

from onnx2snn.evaluation.rational.exact import (
    Array,
    Exact,
    FloatError,
    from_float,
    without_error,
)
from onnx2snn_runtime.registry import Registry

#: An exact tensor, or a constant of the file as it stands there.
Held: TypeAlias = Exact | Array


@dataclass(frozen=True)
class Call:
    """A node with its inputs.

    Attributes:
        node: as in the model.
        inputs: exact tensors and constants; None where an optional input is left out.
        bounds: whether the results shall tell what float32 would make of them.
    """

    node: onnx.NodeProto
    inputs: Sequence[Held | None]
    bounds: bool

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value; text as str, lists as lists."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                value = onnx.helper.get_attribute_value(attribute)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def constant(self, index: int, default: Any = None) -> Any:
        """An input that is a constant of the file; the default where it is left out."""
        value = self.inputs[index] if index < len(self.inputs) else None
        return default if value is None else value

    def exact(self, index: int) -> Exact:
        """An input as exact numbers."""
        value = self.inputs[index]
        if isinstance(value, Exact):
            return value
        numbers = np.asarray(value)
        exact = from_float(numbers)
        return Exact(exact.terms, without_error(numbers)) if self.bounds else exact

    def is_exact(self, *indices: int) -> bool:
        """Whether these inputs are exact tensors."""
        return all(isinstance(self.inputs[i], Exact) for i in indices)

    def error(self, size: Array, roundings: int) -> FloatError | None:
        """A float error, where one is asked for."""
        return FloatError(size, roundings) if self.bounds else None


class ExactOperator(Protocol):
    """Evaluates a node exactly."""

    def __call__(self, call: Call) -> tuple[Exact, ...] | None:
        """The outputs, or None where this node has no exact value: float32 decides then."""
        ...


EXACT: Registry[ExactOperator] = Registry(
    "exactly evaluated operator", "onnx2snn.evaluation.rational.ops"
)
