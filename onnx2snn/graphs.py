"""Small helpers over onnx-graphsurgeon graphs, for the rooms that work on graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import onnx_graphsurgeon as gs
from onnx.reference import ReferenceEvaluator

from onnx2snn.errors import ModelFileError

#: From this opset on the reference evaluator of the onnx package knows every operator we fold.
REFERENCE_OPSET = 21

Array: TypeAlias = npt.NDArray[Any]


def label(node: gs.Node) -> str:
    """How messages name a node."""
    return f"'{node.name}' ({node.op})"


def producer(tensor: gs.Tensor) -> gs.Node | None:
    """The node that makes a tensor; None for graph inputs and constants."""
    return tensor.inputs[0] if tensor.inputs else None


def consumers(tensor: gs.Tensor) -> list[gs.Node]:
    """The nodes that read a tensor, each once."""
    return list({id(n): n for n in tensor.outputs}.values())


def is_output(graph: gs.Graph, tensor: gs.Tensor) -> bool:
    """Whether a tensor is an output of the graph."""
    return any(tensor is o for o in graph.outputs)


def only_consumer(graph: gs.Graph, tensor: gs.Tensor) -> gs.Node | None:
    """The one node that reads a tensor, if there is exactly one and it is no graph output."""
    nodes = consumers(tensor)
    return nodes[0] if len(nodes) == 1 and not is_output(graph, tensor) else None


def constant(tensor: gs.Tensor | None) -> Array | None:
    """The value of a constant tensor, else None."""
    if not isinstance(tensor, gs.Constant):
        return None
    values: Array = np.asarray(tensor.values)
    return values


def input_at(node: gs.Node, index: int) -> gs.Tensor | None:
    """Input number ``index``, or None where it is absent or left out."""
    if index >= len(node.inputs) or node.inputs[index].is_empty():
        return None
    return node.inputs[index]


def data_inputs(node: gs.Node) -> list[int]:
    """Positions of the inputs that are no constants."""
    return [
        i for i, t in enumerate(node.inputs) if not isinstance(t, gs.Constant) and not t.is_empty()
    ]


def rank(tensor: gs.Tensor) -> int | None:
    """Number of axes, if known."""
    return None if tensor.shape is None else len(tensor.shape)


def sample_shape(tensor: gs.Tensor) -> tuple[int, ...] | None:
    """The shape without the batch axis, if every length is known."""
    if tensor.shape is None or not all(isinstance(d, (int, np.integer)) for d in tensor.shape[1:]):
        return None
    return tuple(int(d) for d in tensor.shape[1:])


def unique_name(graph: gs.Graph, base: str) -> str:
    """``base``, or ``base`` with a number, such that no tensor or node has that name."""
    taken = set(graph.tensors()) | {n.name for n in graph.nodes}
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def new_constant(graph: gs.Graph, base: str, values: Array) -> gs.Constant:
    """A constant with a name that is free in the graph."""
    return gs.Constant(unique_name(graph, base), np.asarray(values, order="C"))


def set_input(node: gs.Node, index: int, tensor: gs.Tensor) -> None:
    """Put a tensor at an input position, extending the list by empty inputs as needed."""
    while len(node.inputs) <= index:
        node.inputs.append(gs.Variable.empty())
    node.inputs[index] = tensor


def rewire(graph: gs.Graph, old: gs.Tensor, new: gs.Tensor) -> None:
    """Let every reader of ``old`` read ``new``, graph outputs included.

    A graph output keeps its name: ``new`` takes it over.
    """
    for node in consumers(old):
        for i, tensor in enumerate(node.inputs):
            if tensor is old:
                node.inputs[i] = new
    for i, output in enumerate(graph.outputs):
        if output is old:
            old.name, new.name = new.name, old.name
            if new.dtype is None:
                new.dtype = old.dtype
            graph.outputs[i] = new


def remove(graph: gs.Graph, node: gs.Node) -> None:
    """Take a node out of the graph."""
    node.inputs.clear()
    node.outputs.clear()
    graph.nodes.remove(node)


def insert_after(graph: gs.Graph, anchor: gs.Node, nodes: Sequence[gs.Node]) -> None:
    """Put nodes into the graph's list behind an anchor; order is mended by ``toposort``."""
    at = next(i for i, n in enumerate(graph.nodes) if n is anchor)
    graph.nodes[at + 1 : at + 1] = list(nodes)


def evaluate(op: str, inputs: Sequence[Array | None], attrs: dict[str, Any], opset: int) -> Array:
    """The output of one standard operator by ONNX's own definition; None leaves an input out.

    Raises:
        ModelFileError: the inputs or attributes do not fit the operator.
    """
    names = ["" if value is None else f"in{i}" for i, value in enumerate(inputs)]
    feeds = {name: value for name, value in zip(names, inputs, strict=True) if value is not None}
    infos = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in feeds.items()
    ]
    out = onnx.helper.make_empty_tensor_value_info("out")
    node = onnx.helper.make_node(op, names, ["out"], **attrs)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "one", infos, [out]),
        opset_imports=[onnx.helper.make_opsetid("", max(opset, REFERENCE_OPSET))],
    )
    try:
        outputs: Any = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # the evaluator raises unrelated kinds
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"a {op} of constants cannot be computed ({first})") from error
    return np.asarray(outputs[0])
