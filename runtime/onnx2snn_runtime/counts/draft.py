"""The counting form of a model while it is written."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.time_axis import TIMESTEPS

Array: TypeAlias = npt.NDArray[Any]
#: Whole numbers below are exact in float32 and in float64, whatever the order of a sum.
EXACT_FLOAT, EXACT_DOUBLE = 2**24, 2**53


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes that a node gives, by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def names_read(node: onnx.NodeProto) -> set[str]:
    """The tensors that a node reads, also within its subgraphs; empty for left-out inputs."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                names |= names_read(inner)
            names.update(output.name for output in graph.output)
    return names


class NotCountableError(Exception):
    """The reason why a model has to be simulated step by step."""


class Draft:
    """Nodes so far, and what is known of their tensors. A tensor keeps its name.

    Args:
        model: the spiking model.
        timesteps: T.
        radix: whether its spikes are digits, of which a sum has weights 2^(T−1) … 1; else all 1.
        kernels: whether compiled kernels may compute it.

    Attributes:
        nodes: the nodes written so far.
        exact: whether its neurons need every digit of their accumulators.
        timed: tensors of the model that have a row for every step; here they hold sums.
        sizes: bounds of the magnitude of sums that are known to be whole numbers.
        binary: tensors whose rows are 0 or 1.
        natural: other tensors whose sums are known not to be negative.
        wide: tensors that are float64 here.
        ranks: of the model's tensors, as far as it declares them.
        shapes: of one sample, where all its lengths are declared.
    """

    def __init__(
        self, model: onnx.ModelProto, timesteps: int, *, radix: bool, kernels: bool
    ) -> None:
        self.timesteps = timesteps
        self.radix = radix
        self.kernels = kernels
        self.exact = any(n.op_type == "StaircaseFire" for n in model.graph.node)
        self.nodes: list[onnx.NodeProto] = []
        self.timed: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.binary: set[str] = set()
        self.natural: set[str] = set()
        self.wide: set[str] = set()
        declared = {
            v.name: v.type.tensor_type.shape.dim
            for v in model.graph.value_info
            if v.type.tensor_type.HasField("shape")
        }
        self.ranks = {name: len(lengths) for name, lengths in declared.items()}
        self.shapes = {
            name: tuple(d.dim_value for d in lengths[1:])
            for name, lengths in declared.items()
            if all(d.HasField("dim_value") for d in lengths[1:])
        }
        overridable = {i.name for i in model.graph.input} - {TIMESTEPS}
        self._values = {
            t.name: t for t in model.graph.initializer if t.name not in overridable | {TIMESTEPS}
        }
        self._static = {*self._values, TIMESTEPS}
        self._added: list[onnx.TensorProto] = []

    @property
    def weight(self) -> int:
        """What a constant of every step adds up to."""
        return 2**self.timesteps - 1 if self.radix else self.timesteps

    def value(self, name: str) -> Array | None:
        """A constant of the model, if ``name`` is one."""
        tensor = self._values.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def known(self, name: str, node: onnx.NodeProto) -> Array:
        """A constant of the model.

        Raises:
            NotCountableError: it is none.
        """
        value = self.value(name)
        if value is None:
            raise self.refusal(node, f"'{name}' is no constant of the file")
        return value

    def is_static(self, name: str) -> bool:
        """Whether a tensor depends on constants alone."""
        return name in self._static

    def keep(self, node: onnx.NodeProto) -> None:
        """Append a node of the model as it is."""
        self.nodes.append(node)
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            self._values[node.output[0]] = node.attribute[0].t
        if all(not name or self.is_static(name) for name in names_read(node)):
            self._static.update(node.output)

    def add(
        self,
        op: str,
        inputs: list[str],
        output: str,
        *,
        domain: str = "",
        more_outputs: tuple[str, ...] = (),
        **attributes: Any,
    ) -> str:
        """Append a node; its name is that of its output, which is given back."""
        self.nodes.append(
            helper.make_node(
                op, inputs, [output, *more_outputs], name=output, domain=domain, **attributes
            )
        )
        return output

    def constant(self, value: Array | float, name: str, kind: Any = np.float32) -> str:
        """A new constant; its name is given back."""
        tensor = numpy_helper.from_array(np.asarray(value, dtype=kind), name)
        self._added.append(tensor)
        self._values[name] = tensor
        self._static.add(name)
        return name

    def offset(self, name: str, node: onnx.NodeProto) -> str:
        """What a constant term of every step amounts to over the window.

        Raises:
            NotCountableError: it is not known when the model is loaded.
        """
        value, total = self.known(name, node), f"{node.output[0]}.window.{name}"
        return self.constant(value * value.dtype.type(self.weight), total, value.dtype)

    def is_natural(self, name: str) -> bool:
        """Whether a tensor's sums are known not to be negative."""
        return name in self.binary or name in self.natural

    def widened(self, name: str) -> str:
        """A tensor as float64."""
        if name in self.wide:
            return name
        wide = f"{name}.wide.{len(self.nodes)}"
        value = self.value(name)
        if value is not None:
            return self.constant(value, wide, np.float64)
        return self.add("Cast", [name], wide, to=TensorProto.DOUBLE)

    def narrowed(self, name: str) -> str:
        """A tensor as float32; only int64 constants need to change."""
        value = self.value(name)
        if value is None or value.dtype == np.float32:
            return name
        return self.constant(value, f"{name}.narrow.{len(self.nodes)}")

    def refusal(self, node: onnx.NodeProto, reason: str) -> NotCountableError:
        """The error that says why a node has no counting form."""
        return NotCountableError(f"node '{node.name or node.output[0]}' ({node.op_type}): {reason}")

    def copy(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """Append a copy of a node, and give it to be changed."""
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        self.nodes.append(kept)
        return kept

    def graph_parts(self) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], set[str]]:
        """The nodes, the constants added, and the spiking ops that the nodes still use."""
        ops = {n.op_type for n in self.nodes if n.domain == DOMAIN}
        return self.nodes, self._added, ops
