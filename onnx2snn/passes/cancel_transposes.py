"""Move Transposes towards the outputs until they meet their inverse.

::

    f(Transpose(x))               ──▶   Transpose(f(x))             f acts on each value alone
    Add(Transpose(x), Transpose(y)), Concat, Pad, ReduceMean likewise
    Transpose(Transpose(x))       ──▶   Transpose(x), or x

Networks from TensorFlow have channels last: their exporters put a Transpose in front of and behind
each convolution. What is left of it at the inputs and outputs stays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import (
    constant,
    consumers,
    input_at,
    is_output,
    new_constant,
    producer,
    remove,
    rewire,
    unique_name,
)

#: One data input, each value for itself; other inputs are single numbers.
UNARY = frozenset({
    "Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Elu", "Selu",
    "Softplus", "Gelu", "Mish", "Erf", "Neg", "Abs", "Sqrt", "Exp", "Cast", "Identity",
    "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
#: Several operands that broadcast.
ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Div", "PRelu", "Max", "Min", "Sum", "Pow"})
REDUCTIONS = frozenset({"ReduceMean", "ReduceSum", "ReduceMax"})


def cancel_transposes(canonical: CanonicalGraph) -> None:
    """Push every Transpose down as far as it goes, and join those that meet."""
    graph = canonical.graph.toposort()
    for node in list(graph.nodes):
        if node.op == "Transpose":
            _join(graph, node)
        elif node.inputs and _perm(node.inputs[_first_data(node)]) is not None:
            _push(graph, node)
    graph.cleanup().toposort()


def _first_data(node: gs.Node) -> int:
    return next((i for i, t in enumerate(node.inputs) if not isinstance(t, gs.Constant)), 0)


def _perm(tensor: gs.Tensor) -> list[int] | None:
    """The permutation of the Transpose that makes a tensor, if the batch keeps its place."""
    maker = producer(tensor)
    if maker is None or maker.op != "Transpose":
        return None
    perm = list(maker.attrs.get("perm", []))
    return perm if perm[:1] == [0] else None


def _join(graph: gs.Graph, node: gs.Node) -> None:
    inner, outer = _perm(node.inputs[0]), node.attrs.get("perm")
    if inner is None or outer is None:
        return
    source = node.inputs[0].inputs[0].inputs[0]
    joined = [inner[p] for p in outer]
    if joined != sorted(joined):
        node.attrs["perm"], node.inputs[0] = joined, source
    elif not is_output(graph, node.outputs[0]):
        rewire(graph, node.outputs[0], source)
        remove(graph, node)


def _push(graph: gs.Graph, node: gs.Node) -> None:
    """Let the node work on the values before their Transpose, if it can."""
    perm = _perm(node.inputs[_first_data(node)])
    assert perm is not None
    change = _change(node, perm)
    if change is None or len(node.outputs) != 1:
        return
    after = change(graph, node, perm)
    makers = []
    for i, tensor in enumerate(node.inputs):
        maker = producer(tensor)
        if maker is not None and maker.op == "Transpose":
            makers.append(maker)
            node.inputs[i] = maker.inputs[0]
    if after == sorted(after):
        return
    result = node.outputs[0]
    before = gs.Variable(unique_name(graph, f"{node.name}_untransposed"), result.dtype)
    name = _freed_name(graph, makers) or unique_name(graph, f"{node.name}_transpose")
    node.outputs = [before]
    at = next(i for i, n in enumerate(graph.nodes) if n is node)
    graph.nodes.insert(at + 1, gs.Node("Transpose", name, {"perm": after}, [before], [result]))


def _freed_name(graph: gs.Graph, makers: list[gs.Node]) -> str | None:
    """The name of a Transpose that nobody reads any more, for the one that takes its place."""
    for maker in makers:
        if not consumers(maker.outputs[0]) and not is_output(graph, maker.outputs[0]):
            name = str(maker.name)
            remove(graph, maker)
            return name
    return None


#: Adapts a node's constants and attributes, and gives the permutation of its result.
_Change = Callable[[gs.Graph, gs.Node, "list[int]"], "list[int]"]


def _change(node: gs.Node, perm: list[int]) -> _Change | None:
    """How a node can work on values that are not transposed by ``perm`` yet; None if it cannot."""
    alike = all(_perm(t) == perm or isinstance(t, gs.Constant) for t in node.inputs)
    if node.op in UNARY and _are_numbers(node.inputs[1:]):
        return _unary
    if node.op in ELEMENTWISE and alike and all(_fits(t, perm) for t in node.inputs):
        return _elementwise
    if node.op == "Concat" and alike and not any(map(_is_constant, node.inputs)):
        return _concat
    if node.op == "Pad" and constant(input_at(node, 1)) is not None and len(node.inputs) < 4:
        return _pad
    axes = constant(input_at(node, 1))
    if node.op in REDUCTIONS and axes is not None and axes.size:
        return _reduce
    return None


def _is_constant(tensor: gs.Tensor) -> bool:
    return isinstance(tensor, gs.Constant)


def _are_numbers(tensors: list[gs.Tensor]) -> bool:
    return all(t.is_empty() or (_is_constant(t) and np.size(t.values) == 1) for t in tensors)


def _fits(tensor: gs.Tensor, perm: list[int]) -> bool:
    return not _is_constant(tensor) or np.ndim(tensor.values) <= len(perm)


def _unary(graph: gs.Graph, node: gs.Node, perm: list[int]) -> list[int]:
    return perm


def _elementwise(graph: gs.Graph, node: gs.Node, perm: list[int]) -> list[int]:
    for i, tensor in enumerate(node.inputs):
        value = constant(tensor)
        if value is not None and value.size > 1:
            full = value.reshape([1] * (len(perm) - value.ndim) + list(value.shape))
            name = f"{tensor.name}_transposed"
            node.inputs[i] = new_constant(graph, name, full.transpose(np.argsort(perm)))
    return perm


def _concat(graph: gs.Graph, node: gs.Node, perm: list[int]) -> list[int]:
    node.attrs["axis"] = perm[int(node.attrs["axis"])]
    return perm


def _pad(graph: gs.Graph, node: gs.Node, perm: list[int]) -> list[int]:
    pads = constant(node.inputs[1])
    assert pads is not None
    moved = pads.reshape(2, -1)[:, np.argsort(perm)].reshape(-1)
    node.inputs[1] = new_constant(graph, f"{node.name}_pads", moved)
    return perm


def _reduce(graph: gs.Graph, node: gs.Node, perm: list[int]) -> list[int]:
    axes = constant(node.inputs[1])
    assert axes is not None
    gone = sorted(perm[int(a)] for a in axes.reshape(-1))
    node.inputs[1] = new_constant(graph, f"{node.name}_axes", np.array(gone, dtype=np.int64))
    if node.attrs.get("keepdims", 1):
        return perm
    kept = [p for p in perm if p not in gone]
    return [sorted(kept).index(p) for p in kept]
