"""An offset behind spikes: as the bias of the layers that receive them.

For an affine layer f(x) = W·x + b::

    f(A·s + low)  =  W·A·s + f(low)

f(low) is one number for each output channel, or a map where the padding shows.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.graphs import (
    Array,
    constant,
    evaluate,
    new_constant,
    sample_shape,
    set_input,
)
from onnx2snn.plan import Diagnostic
from onnx2snn.sites import Region

#: Their input 2 is a bias for each output channel.
BIASED = frozenset({"Conv", "ConvTranspose", "Gemm"})
LAYERS = BIASED | {"MatMul", "AveragePool", "Pad"}


def add_offset(
    emission: Emission,
    source: gs.Variable,
    readers: list[gs.Node],
    product: gs.Variable,
    low: Array,
) -> gs.Variable:
    """Account for an offset on the spikes of a tensor.

    Args:
        emission: the graph, changed.
        source: the analog tensor.
        readers: of it, those that will receive the spikes.
        product: spikes times amplitude.
        low: the offset, broadcastable to one sample.

    Returns:
        The tensor for all readers that are not served yet: layers took the offset and read
        ``product`` already.
    """
    left = [n for n in readers if not absorb_offset(emission, n, source, product, low)]
    if not left:
        return product
    shifted = emission.variable(f"{source.name}.shifted", product, in_time=True)
    offset = new_constant(emission.graph, f"{source.name}.offset", low.astype(np.float32))
    emission.add("Add", f"{source.name}.shift", [product, offset], [shifted], Region.TIME)
    emission.diagnostics.append(
        Diagnostic(
            "OFFSET_KEPT",
            "info",
            f"'{source.name}'",
            "spikes stand for values above an offset, which is added behind them",
            "layers behind it receive values, not spikes",
        )
    )
    return shifted


def absorb_offset(
    emission: Emission, node: gs.Node, source: gs.Variable, product: gs.Variable, low: Array
) -> bool:
    """Let a layer read the spikes and add what the offset amounts to behind it.

    Args:
        emission: the graph, changed.
        node: a reader of the source.
        source: the tensor of the values.
        product: spikes times amplitude.
        low: the offset, broadcastable to one sample.

    Returns:
        Whether it could; else nothing is changed.
    """
    size = sample_shape(product)
    if node.op not in LAYERS or node.domain or size is None or node.inputs[0] is not source:
        return False
    held = [constant(t) for t in node.inputs[1:]]
    if any(h is None and not t.is_empty() for h, t in zip(held, node.inputs[1:], strict=True)):
        return False
    flat = np.ascontiguousarray(np.broadcast_to(low, (1, *size)), dtype=np.float32)
    shift = evaluate(node.op, [flat, *held], node.attrs, emission.graph.opset).astype(np.float32)
    node.inputs[0] = product
    if node.op in BIASED:
        per_channel = _per_channel(shift)
        if per_channel is not None:
            set_input(node, 2, new_constant(emission.graph, f"{node.name}_offset", per_channel))
            return True
        node.inputs = list(node.inputs[:2])
    output = node.outputs[0]
    inner = emission.variable(f"{node.name}.centred", output, in_time=True)
    node.outputs[0] = inner
    values = new_constant(emission.graph, f"{node.name}.offset", shift)
    emission.add("Add", f"{node.name}.shift", [inner, values], [output], Region.TIME)
    return True


def _per_channel(shift: Array) -> Array | None:
    """One value for each output channel, where the places of a channel are alike."""
    rows = shift[0].reshape(shift.shape[1], -1)
    return np.ascontiguousarray(rows[:, 0]) if (rows == rows[:, :1]).all() else None
