"""From windows of any length to the steps of one length, written out."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.packed.graph import Graph, reads, without_unread
from onnx2snn_runtime.packed.rewrite import replace_nodes
from onnx2snn_runtime.time_axis import TIMESTEPS, tensors_in_time
from onnx2snn_runtime.unrolled.currents import RANK
from onnx2snn_runtime.unrolled.populations import find_pool, find_population
from onnx2snn_runtime.unrolled.rows import Lengths, Rows

#: The first version of ONNX that splits a tensor into so many equal parts.
SPLITS_EQUALLY = 18
#: Longer windows would be graphs that take longer to load than to run.
MOST_STEPS = 16


@dataclass(frozen=True)
class Unrolled:
    """A model for windows of one length.

    Attributes:
        model: with the same inputs and outputs as the one that it was made of.
        written_out: spiking nodes that are gone.
        borders: tensors that are split or put together for other nodes.
    """

    model: onnx.ModelProto
    written_out: int
    borders: int

    @property
    def gains(self) -> bool:
        """Whether more is written out than copied for it."""
        return self.borders < self.written_out


def unroll(model: onnx.ModelProto, steps: int) -> Unrolled | None:
    """A model for windows of so many steps, its populations written out step by step.

    Layers, neurons and max pools of images become convolutions for each step, which onnxruntime
    computes in its own layout, adding in place. A current's terms are added to the potential one
    after the other, so that sums round in another order. Everything else stays as it is.

    Args:
        model: a spiking model that declares the shapes of its images.
        steps: of every window.

    Returns:
        None where there is nothing to write out.
    """
    source = next(i for i in model.graph.input if i.name != TIMESTEPS)
    batch = source.type.tensor_type.shape.dim[:1]
    opset = next(o.version for o in model.opset_import if not o.domain)
    if not 1 <= steps <= MOST_STEPS or not batch or opset < SPLITS_EQUALLY:
        return None
    graph, shapes, in_time = Graph(model), _shapes(model), tensors_in_time(model)
    rows = Rows(graph, steps, source.name, batch[0].dim_value or batch[0].dim_param or "N")
    unrolled: set[str] = set()
    for node in graph.nodes:
        found = find_population(graph, node, shapes, in_time) or find_pool(
            graph, node, shapes, unrolled
        )
        if found is not None:
            found.unroll(rows)
            unrolled.add(node.output[0])
            continue
        rows.keep(node)
        if node.domain == DOMAIN and node.op_type == "DirectEncode":
            rows.made(node.output[0], [node.input[0]] * steps, whole=True)
    if not unrolled:
        return None
    read = {name for node in without_unread(rows.nodes, graph.outputs) for name in reads(node)}
    borders = len(rows.borders & read)
    for output in sorted(graph.outputs):
        rows.put_together(output)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    nodes = without_unread(rows.nodes, graph.outputs)
    replace_nodes(changed, nodes, rows.initializers)
    written = {name for node in nodes for name in node.output}
    changed.graph.value_info.extend(v for v in rows.shapes if v.name in written)
    return Unrolled(changed, len(unrolled), borders)


def _shapes(model: onnx.ModelProto) -> dict[str, Lengths]:
    """The shapes of images, without their rows, where the model declares them."""
    found = {}
    for value in (*model.graph.input, *model.graph.value_info):
        dims = value.type.tensor_type.shape.dim
        lengths = tuple(d.dim_value for d in dims[1:])
        if len(dims) == RANK and min(lengths) > 0:
            found[value.name] = lengths
    return found
