"""What the current of a population is the sum of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import onnx

from onnx2snn_runtime.packed.chains import amplitude_of
from onnx2snn_runtime.packed.graph import Array, Graph, attributes, input_at
from onnx2snn_runtime.unrolled.rows import Lengths, Rows

#: Axes of images, [T·N, C, H, W].
RANK = 4


@dataclass(frozen=True)
class Layer:
    """A convolution, computed for each step by itself."""

    node: onnx.NodeProto
    lengths: Lengths

    def append(self, rows: Rows) -> list[str]:
        """Append its currents; gives them, one for each step."""
        name, (source, *constants) = self.node.output[0], self.node.input
        given = attributes(self.node)
        return [
            rows.add("Conv", [part, *constants], f"{name}.{t}", self.lengths, **given)
            for t, part in enumerate(rows.parts(source))
        ]


@dataclass(frozen=True)
class Shortcut:
    """A tensor at every so many pixels, its channels weighted and moved.

    Attributes:
        current: its name.
        source: the tensor, in time.
        weights: [C, channels of the source].
        strides: along height and width.
        lengths: of the result.
    """

    current: str
    source: str
    weights: Array
    strides: tuple[int, int]
    lengths: Lengths

    def append(self, rows: Rows) -> list[str]:
        """Append its currents; gives them, one for each step."""
        diagonal, parts = self.weights.diagonal(), rows.parts(self.source)
        names = [f"{self.current}.{t}" for t in range(rows.steps)]
        if self.strides == (1, 1) and np.array_equal(self.weights, np.diag(diagonal)):
            return [
                rows.per_channel(part, diagonal, name, self.lengths)
                for part, name in zip(parts, names, strict=True)
            ]
        kernel = rows.constant(self.weights.astype(np.float32)[:, :, None, None])
        given = {"kernel_shape": [1, 1], "strides": list(self.strides)}
        return [
            rows.add("Conv", [part, kernel], name, self.lengths, **given)
            for part, name in zip(parts, names, strict=True)
        ]


Term: TypeAlias = Layer | Shortcut


def find_terms(
    graph: Graph, current: str, shapes: Mapping[str, Lengths], in_time: set[str]
) -> list[Term]:
    """The terms of which a current is the sum, layers first.

    Args:
        graph: the graph.
        current: an image in time.
        shapes: of the tensors of which it is known.
        in_time: the tensors that have a row for every step.
    """
    lengths, node = shapes[current], graph.maker.get(current)
    if node is not None and not node.domain:
        alike = all(n in in_time and shapes.get(n) == lengths for n in node.input)
        if node.op_type == "Add" and alike:
            parts = [find_terms(graph, name, shapes, in_time) for name in node.input]
            terms = [term for part in parts for term in part]
            return sorted(terms, key=lambda term: not isinstance(term, Layer))
        if node.op_type == "Conv" and _is_plain(graph, node) and node.input[0] in in_time:
            return [Layer(node, lengths)]
    return [_shortcut(graph, current, shapes, in_time)]


def _is_plain(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether nobody else reads a layer, and its constants are float32."""
    constants = [graph.constant(name) for name in node.input[1:] if name]
    known = all(c is not None and c.dtype == np.float32 for c in constants)
    return known and graph.only_reader(node.output[0]) is not None


def _shortcut(
    graph: Graph, current: str, shapes: Mapping[str, Lengths], in_time: set[str]
) -> Shortcut:
    """The current as a shortcut, back through products, strides and silent channels."""
    found = Shortcut(current, current, np.eye(shapes[current][0]), (1, 1), shapes[current])
    further = _one_back(graph, found, shapes)
    while further is not None and further.source in in_time:
        found, further = further, _one_back(graph, further, shapes)
    return found


def _one_back(graph: Graph, found: Shortcut, shapes: Mapping[str, Lengths]) -> Shortcut | None:
    """The same shortcut, beginning one node earlier."""
    node = graph.maker.get(found.source)
    if node is None or node.domain or found.source not in shapes:
        return None
    if node.op_type == "Mul":
        product = amplitude_of(graph, found.source, RANK, shapes[found.source][0])
        if product is None or product[0] not in shapes:
            return None
        return replace(found, source=product[0], weights=found.weights * product[1])
    if node.input[0] not in shapes:
        return None
    if node.op_type == "Slice":
        strides = _strides(graph, node, shapes[node.input[0]])
        if strides is None:
            return None
        total = (found.strides[0] * strides[0], found.strides[1] * strides[1])
        return replace(found, source=node.input[0], strides=total)
    if node.op_type == "Pad":
        before = _silent_channels(graph, node)
        if before is None:
            return None
        heard = slice(before, before + shapes[node.input[0]][0])
        return replace(found, source=node.input[0], weights=found.weights[:, heard])
    return None


def _strides(graph: Graph, node: onnx.NodeProto, lengths: Lengths) -> tuple[int, int] | None:
    """The strides of a Slice that keeps every so many pixels from the first on, and no less."""
    bounds = [graph.constant(input_at(node, i)) for i in range(1, 5)]
    starts, ends, axes, steps = bounds
    if starts is None or ends is None or axes is None or steps is None or np.any(starts):
        return None
    strides = {2: 1, 3: 1}
    for axis, end, step in zip(axes % RANK, ends, steps, strict=True):
        if axis not in strides or step < 1 or end < lengths[axis - 1]:
            return None
        strides[int(axis)] *= int(step)
    return strides[2], strides[3]


def _silent_channels(graph: Graph, node: onnx.NodeProto) -> int | None:
    """How many channels a Pad puts in front, if channels of zeros are all that it adds."""
    pads = graph.constant(node.input[1])
    filler = graph.constant(node.input[2]) if input_at(node, 2) else np.zeros(1)
    constant = attributes(node).get("mode", b"constant") == b"constant"
    if pads is None or len(pads) != 2 * RANK or not constant or input_at(node, 3):
        return None
    if filler is None or filler.any() or pads.min() < 0 or np.delete(pads, [1, 1 + RANK]).any():
        return None
    return int(pads[1])
