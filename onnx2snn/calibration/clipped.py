"""The network with every activation clipped at a limit, in onnxruntime.

The limits are inputs of the model, so that one session serves all that are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.calibration.dataset import Dataset
from onnx2snn.calibration.runnable import ALL_THREADS
from onnx2snn.plan import ActivationSite
from onnx2snn_runtime.backends.stock import StockExecutable

Vector: TypeAlias = npt.NDArray[np.float64]
Array: TypeAlias = npt.NDArray[np.float32]

BATCH_SIZE = 32
LIMIT, RATE, POWER = ".limit", ".rates", ".power"
AXES = "clipped.axes"


@dataclass(frozen=True)
class Clipped:
    """What clipping does to a network, averaged over samples.

    Attributes:
        cosine: of the outputs with and without it, less what the network answers on average.
        rate_inference_loss: Ω = ‖r‖₁/‖r‖₂² of rates r = activation/limit, averaged over layers;
            1 where a layer is silent.
    """

    cosine: float
    rate_inference_loss: float


class ClippedNetwork:
    """A network whose activations are clipped above; limits are chosen for each run.

    Args:
        model: the canonical network.
        sites: the activations; pools are passed over.
        dataset: on what it runs.

    Raises:
        DataError: the data do not fit the model.
    """

    def __init__(
        self, model: onnx.ModelProto, sites: Sequence[ActivationSite], dataset: Dataset
    ) -> None:
        self._sites = [s for s in sites if not s.is_pool]
        self._outputs = [o.name for o in model.graph.output]
        self._taps = [s.name + end for s in self._sites for end in (RATE, POWER)]
        self._executable = StockExecutable(_with_limits(model, self._sites), ALL_THREADS)
        self._dataset = dataset
        free = {s.name: np.array([np.inf]) for s in self._sites}
        self._answers = [answers for answers, _ in self._batches(free)]
        self._average = _average(self._answers)

    def run(self, limits: Mapping[str, Vector]) -> Clipped:
        """Clip at these limits above the sites' lower bounds, each one value or [C]."""
        cosines, losses = [], []
        for wanted, (answers, sums) in zip(self._answers, self._batches(limits), strict=True):
            cosines.append(_cosine(wanted - self._average, answers - self._average))
            losses.append(_rate_inference_loss(sums))
        return Clipped(float(np.concatenate(cosines).mean()), float(np.concatenate(losses).mean()))

    def _batches(self, limits: Mapping[str, Vector]) -> Iterator[tuple[Array, list[Array]]]:
        """For every batch the flat outputs [n, ...], and the sums of rates and of squares [n]."""
        given = {s.name + LIMIT: _shaped(limits[s.name], s) for s in self._sites}
        for feeds in self._dataset.batches(BATCH_SIZE):
            values = self._executable.run([*self._outputs, *self._taps], {**feeds, **given})
            flat = [v.reshape(len(v), -1) for v in values[: len(self._outputs)]]
            yield np.concatenate(flat, axis=1), values[len(self._outputs) :]


def _shaped(limit: Vector, site: ActivationSite) -> Array:
    """Broadcastable against the activation above its lower bound; a silent channel passes all."""
    values = np.where(limit > np.finfo(np.float32).tiny, limit, np.inf)
    shape = (1, -1, *([1] * (site.rank - 2))) if values.size > 1 else (1,)
    return values.astype(np.float32).reshape(shape)


def _average(batches: Sequence[Array]) -> Array:
    """What all answers share; zero where they are the same, for then nothing else is left."""
    answers = np.concatenate(batches)
    average: Array = answers.mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.zeros_like(average) if np.allclose(answers, answers[:1]) else average


def _cosine(a: Array, b: Array) -> Vector:
    """[n]: one where both are zero."""
    sizes = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    size = sizes[0] * sizes[1]
    product = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    cosine: Vector = np.where(size > 0, product / np.where(size > 0, size, 1), sizes[0] == sizes[1])
    return cosine


def _rate_inference_loss(sums: Sequence[Array]) -> Vector:
    """[n]: the mean over layers."""
    pairs = list(zip(sums[::2], sums[1::2], strict=True))
    layers = [np.where(p > 0, r / np.where(p > 0, p, 1), 1.0) for r, p in pairs]
    mean: Vector = np.mean(layers, axis=0, dtype=np.float64)
    return mean


def _with_limits(model: onnx.ModelProto, sites: Sequence[ActivationSite]) -> onnx.ModelProto:
    """The model with a Min behind every site, and sums of rates and squared rates as outputs."""
    variant = onnx.ModelProto()
    variant.CopyFrom(model)
    graph = variant.graph
    del graph.value_info[:]
    graph.initializer.append(numpy_helper.from_array(np.array([1], dtype=np.int64), AXES))
    for site in sites:
        name, lower = site.name, f"{site.name}.lower"
        bound = np.array([site.lower], dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(bound, lower))
        graph.input.append(helper.make_tensor_value_info(name + LIMIT, TensorProto.FLOAT, None))
        for node in graph.node:
            node.output[:] = [f"{name}.free" if o == site.target else o for o in node.output]
        graph.node.extend(
            [
                helper.make_node("Sub", [f"{name}.free", lower], [f"{name}.above"]),
                helper.make_node("Min", [f"{name}.above", name + LIMIT], [f"{name}.inside"]),
                helper.make_node("Add", [f"{name}.inside", lower], [site.target]),
                helper.make_node("Div", [f"{name}.inside", name + LIMIT], [f"{name}.share"]),
                helper.make_node("Flatten", [f"{name}.share"], [f"{name}.flat"]),
                helper.make_node("Mul", [f"{name}.flat"] * 2, [f"{name}.squares"]),
            ]
        )
        for summed, tap in ((f"{name}.flat", name + RATE), (f"{name}.squares", name + POWER)):
            graph.node.append(helper.make_node("ReduceSum", [summed, AXES], [tap], keepdims=0))
            graph.output.append(helper.make_tensor_value_info(tap, TensorProto.FLOAT, None))
    _sort(graph)
    return variant


def _sort(graph: onnx.GraphProto) -> None:
    """Put every node behind those whose outputs it reads."""
    made = {i.name for i in (*graph.input, *graph.initializer)} | {""}
    waiting, ordered = list(graph.node), []
    while waiting:
        ready = [n for n in waiting if made.issuperset(n.input)]
        made.update(o for n in ready for o in n.output)
        ordered.extend(ready)
        waiting = [n for n in waiting if not made.issuperset(n.output)]
    kept = [onnx.NodeProto.FromString(n.SerializeToString()) for n in ordered]
    del graph.node[:]
    graph.node.extend(kept)
