"""A rule: what becomes of one node when its tensors hold sums over the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import onnx

from onnx2snn_runtime.counts.draft import Draft
from onnx2snn_runtime.registry import Registry

#: Appends to the draft what gives the node's output over the window, or raises NotCountableError.
Rule: TypeAlias = Callable[[Draft, onnx.NodeProto], None]
#: By op type. The standard ops and ours share no name.
RULES: Registry[Rule] = Registry("counting rule", "onnx2snn_runtime.counts.rules")
