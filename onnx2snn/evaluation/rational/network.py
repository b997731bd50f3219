"""The evaluation of a whole network, node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.evaluation.rational.exact import Array, Exact
from onnx2snn.evaluation.rational.operator import EXACT, Call, Held
from onnx2snn.evaluation.rational.ordinary import OrdinaryNode
from onnx2snn.evaluation.rational.rounding import Quantizer, dequantize, quantizer

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


@dataclass(frozen=True)
class Rounded:
    """What a quantizer gave.

    Attributes:
        name: of the QuantizeLinear node.
        integers: as the node gives them, zero point included.
        zero_point: int64, broadcastable against them.
        steps: the exact value in units of the scale, before zero point, rounding and saturation;
            None where an ordinary float32 value was quantized.
        reach: how far, in steps, float32 arithmetic may be from it; None if not asked for.
    """

    name: str
    integers: Array
    zero_point: Array
    steps: Exact | None
    reach: Array | None


#: Called with each quantizer's result, in topological order.
Observer: TypeAlias = Callable[[Rounded], None]


class RationalNetwork:
    """A quantized network in canonical form, evaluated in exact arithmetic.

    Every tensor between a DequantizeLinear and the next QuantizeLinear is an exact rational number
    computed from the file's constants; what an operator without such a value gives (Softmax, or
    whatever stands in front of the first quantizer) is computed by onnxruntime in float32.

    Args:
        model: canonical form with integer weights, nodes in topological order, every one named.
        bounds: whether to tell how far float32 arithmetic may be; doubles the time.

    Raises:
        UnsupportedModelError: a quantizer's parameters are computed from the input.
    """

    def __init__(self, model: onnx.ModelProto, *, bounds: bool = False) -> None:
        self._bounds = bounds
        self._outputs = [o.name for o in model.graph.output]
        self._constants: dict[str, Held] = {
            t.name: numpy_helper.to_array(t) for t in model.graph.initializer
        }
        imports, version = model.opset_import, model.ir_version
        self._ordinary = {n.name: OrdinaryNode(n, imports, version) for n in model.graph.node}
        self._nodes: list[onnx.NodeProto] = []
        for node in model.graph.node:
            if all(not i or i in self._constants for i in node.input):
                self._constants.update(self._evaluate(node, self._constants))
            else:
                self._nodes.append(node)
        self._last_reader = {i: n.name for n in self._nodes for i in n.input}
        self._quantizers = {n.name: n for n in self._nodes if n.op_type == QUANTIZE}
        for node in self._nodes:
            if node.op_type in {QUANTIZE, DEQUANTIZE} and not self._has_constants(node):
                raise UnsupportedModelError(
                    "computes its scale or zero point from the input",
                    node=f"'{node.name}' ({node.op_type})",
                )

    @property
    def quantizers(self) -> tuple[str, ...]:
        """Names of the quantizers of activations, in topological order."""
        return tuple(self._quantizers)

    def tensor_of(self, quantizer_name: str) -> str:
        """The name of the integers that a quantizer gives."""
        return str(self._quantizers[quantizer_name].output[0])

    def levels_of(self, quantizer_name: str, integers: Array) -> Array:
        """A quantizer's integers without their zero point, int64."""
        parameters = self._parameters_of(quantizer_name, integers.ndim)
        levels: Array = integers.astype(np.int64) - parameters.zero_point.astype(np.int64)
        return levels

    def integers_of(self, quantizer_name: str, levels: Array) -> Array:
        """The reverse of :meth:`levels_of`, in the quantizer's own type."""
        parameters = self._parameters_of(quantizer_name, levels.ndim)
        integers: Array = (levels + parameters.zero_point.astype(np.int64)).astype(parameters.dtype)
        return integers

    def run(
        self,
        feeds: Mapping[str, Array],
        observe: Observer | None = None,
        given: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:
        """The network's outputs, float32.

        Args:
            feeds: [N, ...] by input name.
            observe: called with each quantizer's result, in topological order.
            given: integers by quantizer name, with which the evaluation goes on in place of its
                own.

        Raises:
            UnsupportedModelError: an integer grows beyond 2^53.
        """
        values: dict[str, Held] = dict(feeds)
        for node in self._nodes:
            known = {i: self._constants.get(i, values.get(i)) for i in node.input if i}
            results = self._evaluate(node, known, set(values), observe)
            if given is not None and node.name in given:
                results[node.output[0]] = given[node.name]
            values.update(results)
            for name in set(node.input) & values.keys():
                if self._last_reader[name] == node.name and name not in self._outputs:
                    del values[name]
        return {o: _as_array(values[o]) for o in self._outputs}

    def _has_constants(self, node: onnx.NodeProto) -> bool:
        return all(not i or i in self._constants for i in node.input[1:])

    def _parameters_of(self, name: str, rank: int) -> Quantizer:
        node = self._quantizers[name]
        return _parameters(Call(node, [self._constants.get(i) for i in node.input], False), rank)

    def _evaluate(
        self,
        node: onnx.NodeProto,
        known: Mapping[str, Any],
        computed: set[str] | None = None,
        observe: Observer | None = None,
    ) -> dict[str, Held]:
        """The node's outputs; ``computed`` names the inputs that are no constants."""
        inputs = [known[i] if i else None for i in node.input]
        call = Call(node, inputs, self._bounds)
        if node.op_type == DEQUANTIZE:
            return {node.output[0]: _dequantized(call)}
        if node.op_type == QUANTIZE and isinstance(inputs[0], Exact):
            return {node.output[0]: _quantized(call, observe)}
        names = [o for o in node.output if o]
        exact = None if self._is_ordinary(node, inputs, computed or set()) else _exactly(call)
        if exact is not None:
            return dict(zip(names, exact, strict=True))
        plain = [None if i is None else _as_array(i) for i in inputs]
        arrays = self._ordinary[node.name].run(plain)
        if node.op_type == QUANTIZE and observe is not None:
            observe(_plainly_rounded(call, arrays[0]))
        return dict(zip(names, arrays, strict=True))

    def _is_ordinary(
        self, node: onnx.NodeProto, inputs: list[Held | None], computed: set[str]
    ) -> bool:
        """Whether an input is a float32 value, or none is exact, so that nothing is to be exact."""
        plain = any(
            name in computed and not isinstance(value, Exact)
            for name, value in zip(node.input, inputs, strict=True)
        )
        return plain or not any(isinstance(i, Exact) for i in inputs)


def _exactly(call: Call) -> tuple[Exact, ...] | None:
    operator = EXACT.find(call.node.op_type) if not call.node.domain else None
    return None if operator is None else operator(call)


def _as_array(value: Held) -> Array:
    return value.estimate()[0].astype(np.float32) if isinstance(value, Exact) else value


def _dequantized(call: Call) -> Exact:
    axis, block = call.attribute("axis", 1), call.attribute("block_size", 0)
    integers, scale = (np.asarray(call.inputs[i]) for i in (0, 1))
    return dequantize(integers, scale, call.constant(2), axis, block, bounds=call.bounds)


def _parameters(call: Call, rank: int) -> Quantizer:
    axis, block = call.attribute("axis", 1), call.attribute("block_size", 0)
    return quantizer(np.asarray(call.inputs[1]), call.constant(2), axis, block, rank)


def _quantized(call: Call, observe: Observer | None) -> Array:
    value = call.exact(0)
    parameters = _parameters(call, value.rank)
    steps = parameters.steps(value)
    integers = parameters.round(steps)
    if observe is not None:
        reach = None if value.error is None else parameters.reach(value.error)
        points = parameters.zero_point.astype(np.int64)
        observe(Rounded(call.node.name, integers, points, steps, reach))
    return integers


def _plainly_rounded(call: Call, integers: Array) -> Rounded:
    points = _parameters(call, integers.ndim).zero_point.astype(np.int64)
    return Rounded(call.node.name, integers, points, None, None)
