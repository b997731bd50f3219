"""Compiled kernels that compute a population's window in one pass over its currents.

Ops of a private domain. They stand in the counting form of a loaded model, never in a file, and
only where the kernels are there; else the rules write the same with ordinary operators.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from onnx2snn_runtime.counts.draft import Array, Draft, attributes

COUNT_DOMAIN = "org.onnx2snn.counts"


@dataclass(frozen=True)
class Sums:
    """Currents that a kernel adds up: one or two tensors of one shape [N, C, ...].

    Attributes:
        tensors: their names.
        factors: of each tensor: [C or 1].
    """

    tensors: tuple[str, ...]
    factors: tuple[Array, ...]

    def constant(self, draft: Draft, name: str, kind: type) -> str:
        """The factors as the kernels read them: [C or 1, number of tensors]."""
        return draft.constant(rows(self.factors), f"{name}.factors", kind)


def rows(columns: tuple[Array, ...]) -> Array:
    """Values [C or 1] of the channels side by side: [C or 1, number of values]."""
    return np.stack(np.broadcast_arrays(*map(np.atleast_1d, columns)), axis=1)


def by_channel(value: Array, rank: int | None) -> Array | None:
    """A constant that broadcasts to [N, C, ...] as [C or 1]; None where it is of another kind."""
    if value.size == 1:
        return value.reshape(1)
    if rank is None or value.ndim > rank:
        return None
    full = value.reshape((1,) * (rank - value.ndim) + value.shape)
    return full.reshape(-1) if full.shape[1] == full.size else None


def gather_sums(draft: Draft, current: str, rank: int | None) -> Sums:
    """What adds up to a current: products with constants, and what a shortcut brings.

    The nodes that the kernel makes superfluous stay in the draft; nobody reads them.
    """
    made = {node.output[0]: node for node in draft.nodes}

    def scaled(name: str) -> tuple[str, Array]:
        """A tensor and the factor by which it is multiplied."""
        factor = np.ones(1)
        while (node := made.get(name)) is not None and not node.domain:
            widens = node.op_type == "Cast" and attributes(node)["to"] == TensorProto.DOUBLE
            if node.op_type == "Identity" or widens:
                name = node.input[0]
                continue
            more = _factor(draft, node.input, rank) if node.op_type == "Mul" else None
            if more is None:
                break
            name, factor = more[0], factor * more[1]
        return name, factor

    name, factor = scaled(current)
    node = made.get(name)
    if node is not None and not node.domain and node.op_type == "Add":
        ends = [scaled(part) for part in node.input]
        shapes = [draft.shapes.get(name) for name in (*node.input, *(end[0] for end in ends))]
        if None not in shapes and len(set(shapes)) == 1:
            return Sums(tuple(n for n, _ in ends), tuple(factor * f for _, f in ends))
    return Sums((name,), (factor,))


def _factor(draft: Draft, inputs: list[str], rank: int | None) -> tuple[str, Array] | None:
    """The tensor and the constant of a product, if there is one for each channel or for all."""
    for name, other in (tuple(inputs), tuple(reversed(inputs))):
        value = draft.value(other)
        factor = None if value is None else by_channel(value, rank)
        if factor is not None:
            return name, factor.astype(np.float64)
    return None
