"""Sums of currents, and products with constants."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from onnx2snn_runtime.counts.draft import EXACT_DOUBLE, EXACT_FLOAT, Draft
from onnx2snn_runtime.counts.rule import RULES


@RULES.register("Add", "Sub")
def add(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep the sum; a constant operand counts once for every step."""
    inputs, sizes = [], []
    for name in node.input:
        if name in draft.timed:
            inputs.append(name)
        elif draft.is_static(name):
            inputs.append(draft.offset(name, node))
        else:
            raise draft.refusal(node, f"'{name}' is computed once for a sample")
        sizes.append(_size(draft, inputs[-1]))
    known = [s for s in sizes if s is not None]
    total = sum(known) if len(known) == 2 else None
    _in_enough_bits(draft, node, inputs, total)


@RULES.register("Mul", "Div")
def multiply(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep the product with a constant."""
    constants = [name for name in node.input if name not in draft.timed]
    if len(constants) != 1 or (node.op_type == "Div" and node.input[1] != constants[0]):
        raise draft.refusal(node, "it is no product with a constant")
    draft.known(constants[0], node)
    total = None
    if node.op_type == "Mul":
        sizes = [_size(draft, name) for name in node.input]
        known = [s for s in sizes if s is not None]
        total = known[0] * known[1] if len(known) == 2 else None
    _in_enough_bits(draft, node, list(node.input), total)


@RULES.register("Neg", "Identity")
def unary(draft: Draft, node: onnx.NodeProto) -> None:
    """Keep it."""
    draft.copy(node)
    _inherit(draft, node)


@RULES.register("Cast")
def cast(draft: Draft, node: onnx.NodeProto) -> None:
    """Leave out a cast of whole numbers that float64 holds; their values stay."""
    size = draft.sizes.get(node.input[0])
    kind = node.attribute[0].i
    if kind == TensorProto.INT64 and size is not None and size < EXACT_DOUBLE:
        draft.add("Identity", [node.input[0]], node.output[0])
    elif kind == TensorProto.FLOAT and node.input[0] not in draft.wide:
        draft.copy(node)
    else:
        raise draft.refusal(node, "its values may not fit")
    _inherit(draft, node)
    draft.binary.discard(node.output[0])


def _inherit(draft: Draft, node: onnx.NodeProto) -> None:
    source, output = node.input[0], node.output[0]
    if source in draft.sizes:
        draft.sizes[output] = draft.sizes[source]
    if source in draft.wide:
        draft.wide.add(output)
    if source in draft.binary and node.op_type == "Identity":
        draft.binary.add(output)
    if draft.is_natural(source) and node.op_type != "Neg":
        draft.natural.add(output)


def _size(draft: Draft, name: str) -> int | None:
    value = draft.value(name)
    if value is None:
        return draft.sizes.get(name)
    if not np.array_equal(value, np.rint(value)):
        return None
    return int(np.abs(value.astype(np.float64)).max(initial=0))


def _in_enough_bits(
    draft: Draft, node: onnx.NodeProto, inputs: list[str], total: int | None
) -> None:
    """Append the node, in float64 where whole numbers need it."""
    output = node.output[0]
    wide = any(name in draft.wide for name in inputs) or (total or 0) >= EXACT_FLOAT
    if wide and (total is None or total >= EXACT_DOUBLE):
        raise draft.refusal(node, "its values may not fit float64")
    if wide:
        inputs = [draft.widened(name) for name in inputs]
        draft.wide.add(output)
    else:
        inputs = [draft.narrowed(name) for name in inputs]
    draft.add(node.op_type, inputs, output)
    if total is not None:
        draft.sizes[output] = total
