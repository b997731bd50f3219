"""The registry of ONNX dialects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import onnx

from onnx2snn.canonical import CanonicalGraph
from onnx2snn_runtime.registry import Registry


class Lowering(Protocol):
    """Rewrites a dialect's nodes to canonical ones, in place."""

    def __call__(self, canonical: CanonicalGraph) -> None:
        """Lower every node of the dialect."""
        ...


@dataclass(frozen=True)
class Dialect:
    """One way in which networks are written in ONNX.

    Attributes:
        name: for people.
        operators: the operators that show the dialect, foreign domains as a prefix.
        lower: rewrites them.
    """

    name: str
    operators: frozenset[str]
    lower: Lowering

    def occurs_in(self, model: onnx.ModelProto) -> bool:
        """Whether a model uses the dialect."""
        return any(n.op_type in self.operators and not n.domain for n in model.graph.node)


DIALECTS: Registry[Dialect] = Registry("dialect", "onnx2snn.frontend.dialects")
