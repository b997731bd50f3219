"""Tensors in time, whole ([T·N, ...]) or step by step ([N, ...] each)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.packed.graph import Array, Graph, reads

#: Lengths of the axes of a tensor, from the second on.
Lengths: TypeAlias = tuple[int, ...]
#: Onnxruntime's layout for convolutions keeps blocks of so many channels, or of a part of it.
BLOCK = 16


class Rows:
    """Writes the new graph, and brings tensors into the form in which a node wants them.

    Attributes:
        nodes: of the new graph, in order.
        initializers: its new constants.
        shapes: of the new tensors. Onnxruntime adds in place only what it knows to be of one shape.
        borders: first outputs of the nodes that bring tensors into another form.
    """

    def __init__(self, graph: Graph, steps: int, samples: str, batch: int | str) -> None:
        """Begin a graph.

        Args:
            graph: the old one.
            steps: of the window.
            samples: a tensor of which the first axis is N.
            batch: what that axis is declared to be.
        """
        self._graph = graph
        self._samples = samples
        self._batch = batch
        self._parts: dict[str, list[str]] = {}
        self._constants: dict[tuple[tuple[int, ...], bytes], str] = {}
        self._sizes: dict[Lengths, str] = {}
        self._apart: set[str] = set()
        self.steps = steps
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.shapes: list[onnx.ValueInfoProto] = []
        self.borders: set[str] = set()

    def keep(self, node: onnx.NodeProto) -> None:
        """Append a node of the old graph; what it reads is put together before."""
        for name in reads(node):
            self.put_together(name)
        self.nodes.append(node)

    def put_together(self, name: str) -> None:
        """Make a tensor whole, if it is there step by step only."""
        if name in self._apart:
            self._apart.remove(name)
            node = helper.make_node("Concat", self._parts[name], [name], name=name, axis=0)
            self.nodes.append(node)
            self.borders.add(name)

    def add(
        self, op: str, inputs: Sequence[str], output: str, lengths: Lengths = (), /, **given: Any
    ) -> str:
        """Append a node; gives its output, named so or alike, of that shape if it is given."""
        output = self._graph.new_name(output)
        if lengths:
            shape = [self._batch, *lengths]
            self.shapes.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **given))
        return output

    def name_as(self, tensor: str, output: str) -> None:
        """Give a tensor a name that the old graph knows."""
        self.nodes.append(helper.make_node("Identity", [tensor], [output], name=output))

    def constant(self, value: Array) -> str:
        """The name of a constant; equal ones are one."""
        key = (value.shape, value.tobytes() + value.dtype.char.encode())
        if key not in self._constants:
            name = self._graph.new_name("unrolled.constant")
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
            self._constants[key] = name
        return self._constants[key]

    def made(self, name: str, parts: list[str], *, whole: bool = False) -> None:
        """Say of which tensors, one for each step, a tensor consists; and whether it is there."""
        self._parts[name] = parts
        if not whole:
            self._apart.add(name)

    def parts(self, name: str) -> list[str]:
        """A tensor step by step."""
        if name not in self._parts:
            parts = [self._graph.new_name(f"{name}.{t}") for t in range(self.steps)]
            node = helper.make_node("Split", [name], parts, axis=0, num_outputs=self.steps)
            self.nodes.append(node)
            self.borders.add(parts[0])
            self._parts[name] = parts
        return self._parts[name]

    def expanded(self, state: str, output: str, lengths: Lengths) -> str:
        """A state that may be the same for several samples, as [N, ...]."""
        if lengths not in self._sizes:
            rest = self.constant(np.array(lengths, dtype=np.int64))
            first = self.add("Shape", [self._samples], "unrolled.samples", end=1)
            self._sizes[lengths] = self.add("Concat", [first, rest], "unrolled.size", axis=0)
        return self.add("Expand", [state, self._sizes[lengths]], output, lengths)

    def per_channel(
        self,
        tensor: str,
        factors: Array,
        output: str,
        lengths: Lengths,
        summand: str = "",
        offsets: Array | None = None,
    ) -> str:
        """The tensor times factors [C], plus offsets [C], plus another tensor of its shape.

        A depthwise convolution of 1 × 1: onnxruntime does it in its layout for convolutions, in one
        pass, and in the place of the other tensor.
        """
        channels = len(factors)
        inputs = [tensor, self.constant(factors.astype(np.float32).reshape(channels, 1, 1, 1))]
        if offsets is not None:
            inputs.append(self.constant(offsets.astype(np.float32)))
        given = {"group": channels, "kernel_shape": [1, 1]}
        if not summand:
            return self.add("Conv", inputs, output, lengths, **given)
        product = self.add("Conv", inputs, f"{output}.product", lengths, **given)
        return self.add("Add", [product, summand], output, lengths)
