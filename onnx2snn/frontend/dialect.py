"""The registry of ONNX dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import onnx
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.graphs import label
from onnx2snn_runtime.registry import Registry


class Lowering(Protocol):
    """Rewrites a dialect's nodes to float operators, QuantizeLinear and DequantizeLinear."""

    def __call__(self, canonical: CanonicalGraph) -> None:
        """Lower every node of the dialect, in place; the order of nodes is free."""
        ...


@dataclass(frozen=True)
class Dialect:
    """One way in which networks are written in ONNX.

    Attributes:
        name: for people.
        operators: the operators that show the dialect, foreign domains as a prefix, and the
            number of inputs that they have at least.
        lower: rewrites them.
    """

    name: str
    operators: Mapping[str, int] = field(hash=False)
    lower: Lowering

    def occurs_in(self, model: onnx.ModelProto) -> bool:
        """Whether a model uses the dialect."""
        return any(qualified(n.domain, n.op_type) in self.operators for n in model.graph.node)

    def nodes_of(self, canonical: CanonicalGraph) -> list[gs.Node]:
        """The dialect's nodes in a graph, in topological order.

        Raises:
            UnsupportedModelError: one lacks inputs; nobody checks operators of foreign domains.
        """
        nodes = canonical.graph.toposort().nodes
        found = [n for n in nodes if qualified(n.domain, n.op) in self.operators]
        for node in found:
            least = self.operators[qualified(node.domain, node.op)]
            if len(node.inputs) < least or not node.outputs:
                what = f"it has {len(node.inputs)} inputs, at least {least} are needed"
                refuse(canonical, node, what, "export the network again")
        return found


def qualified(domain: str | None, op: str) -> str:
    """An operator's name, with its domain as a prefix if that is foreign."""
    return op if domain in {None, "", "ai.onnx"} else f"{domain}:{op}"


def refuse(canonical: CanonicalGraph, node: gs.Node, what: str, remedy: str) -> NoReturn:
    """Say that a dialect's node cannot be lowered.

    Raises:
        UnsupportedModelError: always.
    """
    raise UnsupportedModelError(what, file=canonical.source.file, node=label(node), remedy=remedy)


DIALECTS: Registry[Dialect] = Registry("dialect", "onnx2snn.frontend.dialects")
