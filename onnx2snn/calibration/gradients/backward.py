"""The backward pass of a network, written as ONNX behind its forward pass.

Nodes are walked in reverse; the rule of each operator turns the gradients of its outputs into
gradients of its inputs (the vector-Jacobian product). Every shape is known, batch included, so a
rule can use plain constants. Tensors that depend on nothing of interest get no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from onnx2snn_runtime.registry import Registry

Constant: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
#: Adds the gradients of a node's inputs, given those of its first output.
Rule: TypeAlias = Callable[["Backward", onnx.NodeProto, str], None]

GRADIENTS: Registry[Rule] = Registry("gradient", "onnx2snn.calibration.gradients.rules")


class NoGradientError(Exception):
    """An operator has no rule, or a form that its rule does not know; or values are not finite."""


class Backward:
    """Gradients of one scalar with respect to tensors of a forward pass.

    Args:
        nodes: of the forward pass, in topological order; rules may give them further outputs.
        shapes: of all its tensors.
        constants: values of those that are constant.
        wanted: tensors whose gradients are asked for.
    """

    def __init__(
        self,
        nodes: Sequence[onnx.NodeProto],
        shapes: Mapping[str, Shape],
        constants: Mapping[str, Constant],
        wanted: Collection[str],
    ) -> None:
        self.shapes = shapes
        self.constants = constants
        self.added: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._nodes = nodes
        self._reached = set(wanted)
        for node in nodes:
            if self._reached.intersection(node.input):
                self._reached.update(node.output)
        self._gradients: dict[str, str] = {}

    def run(self, seeds: Iterable[tuple[str, str]]) -> None:
        """Write the pass.

        Args:
            seeds: tensors and the gradient that the scalar itself gives them, if any.

        Raises:
            NoGradientError: it does not lead through an operator.
        """
        for name, gradient in seeds:
            self.add(name, gradient)
        for node in reversed(self._nodes):
            behind = self._gradients.get(node.output[0])
            if behind is None or not self._reached.intersection(node.input):
                continue
            rule = None if node.domain else GRADIENTS.find(node.op_type)
            if rule is None:
                raise NoGradientError(f"{node.op_type} '{node.name}' has no gradient")
            rule(self, node, behind)

    def gradient(self, name: str) -> str | None:
        """The gradient's tensor, None where the scalar does not depend on it."""
        return self._gradients.get(name)

    def wants(self, name: str) -> bool:
        """Whether a gradient is of use there."""
        return name in self._reached

    def add(self, name: str, gradient: str) -> None:
        """One more term of a tensor's gradient."""
        if name in self._reached:
            before = self._gradients.get(name)
            after = gradient if before is None else self.emit("Add", [before, gradient])
            self._gradients[name] = after

    def emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node with one output; gives its name."""
        output = f"backward.{len(self.added)}"
        self.added.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def constant(self, values: npt.ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """A constant; gives its name."""
        name = f"backward.constant.{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def whole(self, values: Iterable[int]) -> str:
        """A constant of integers, such as shapes and axes."""
        return self.constant(list(values), np.int64)

    def reshaped(self, tensor: str, shape: Iterable[int]) -> str:
        """A tensor in another shape."""
        return self.emit("Reshape", [tensor, self.whole(shape)])

    def summed_to(self, gradient: str, given: Shape, wanted: Shape) -> str:
        """The gradient of what was broadcast from one shape to another."""
        if given == wanted:
            return gradient
        padded = (1,) * (len(given) - len(wanted)) + wanted
        axes = [i for i, (g, w) in enumerate(zip(given, padded, strict=True)) if g != w]
        if axes:
            gradient = self.emit("ReduceSum", [gradient, self.whole(axes)], keepdims=1)
        return gradient if padded == wanted else self.reshaped(gradient, wanted)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def constant_input(backward: Backward, node: onnx.NodeProto, index: int) -> Constant | None:
    """The value of a constant input; None where it is left out.

    Raises:
        NoGradientError: it is computed.
    """
    if len(node.input) <= index or not node.input[index]:
        return None
    if node.input[index] not in backward.constants:
        raise NoGradientError(f"{node.op_type} '{node.name}' has a computed input {index}")
    return backward.constants[node.input[index]]
