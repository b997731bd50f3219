"""The registry of operators that may form analog islands."""

from __future__ import annotations

from typing import Protocol

import onnx_graphsurgeon as gs

from onnx2snn_runtime.registry import Registry


class RowRule(Protocol):
    """Whether a node computes each sample, a row of axis 0, from that sample alone."""

    def __call__(self, node: gs.Node) -> str | None:
        """Why it does not; None if it does."""
        ...


ANALOG: Registry[RowRule] = Registry("analog operator", "onnx2snn.analog")
