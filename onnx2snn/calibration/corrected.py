"""Pieces of a network with other weights and biases in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn.calibration.runnable import ALL_THREADS
from onnx2snn.calibration.signals import Array
from onnx2snn.plan import LayerCorrection
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable


@dataclass(frozen=True)
class Corrected:
    """Weights and bias in place of a layer's own; None leaves the bias as it is."""

    weight: Array
    bias: Array | None = None


def by_layer(corrections: Iterable[LayerCorrection]) -> dict[str, Corrected]:
    """A plan's corrections as a walk holds them."""
    return {c.layer: Corrected(c.weight, c.bias) for c in corrections}


class Runner:
    """A segment's model in onnxruntime, with corrections in it."""

    def __init__(
        self,
        model: bytes,
        corrections: Mapping[str, Corrected],
        options: BackendOptions = ALL_THREADS,
    ) -> None:
        proto = onnx.load_from_string(model)
        for node in proto.graph.node:
            if node.name in corrections:
                _put(proto, node, corrections[node.name])
        self.outputs = [o.name for o in proto.graph.output]
        self.inputs = [i.name for i in proto.graph.input]
        self._executable = StockExecutable(proto, options) if self.outputs else None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs, and what is fed."""
        if self._executable is None:
            return dict(feeds)
        given = {n: np.ascontiguousarray(feeds[n]) for n in self.inputs}
        values = self._executable.run(self.outputs, given)
        return {**feeds, **dict(zip(self.outputs, values, strict=True))}


def _put(proto: onnx.ModelProto, node: onnx.NodeProto, corrected: Corrected) -> None:
    for index, values in ((1, corrected.weight), (2, corrected.bias)):
        if values is None:
            continue
        name = f"{node.name}.corrected.{index}"
        proto.graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)
        )
        while len(node.input) <= index:
            node.input.append("")
        node.input[index] = name
