"""Write reshapes so that they hold for any batch.

::

    Reshape(x, [1, 256]), Reshape(x, [−1, 256]), Reshape(x, computed)  ──▶  Flatten(x)
    Reshape(x, [1, c, h, w])                                           ──▶  Reshape(x, [0, c, h, w])

Applies where axis 0 is kept: the elements of one sample stay in one row.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, input_at, new_constant, sample_shape


def free_reshape(canonical: CanonicalGraph) -> None:
    """Rewrite every reshape that keeps axis 0; others stay and are refused later."""
    graph = canonical.graph
    for node in list(graph.nodes):
        if node.op == "Flatten" and int(node.attrs.get("axis", 1)) == 1 - len(
            node.inputs[0].shape or ()
        ):
            node.attrs["axis"] = 1
        if node.op != "Reshape":
            continue
        target = _sample_target(node)
        if target is None:
            continue
        if len(target) == 1:
            node.op, node.attrs = "Flatten", {"axis": 1}
            node.inputs = node.inputs[:1]
        else:
            wanted = np.array([0, *target], dtype=np.int64)
            node.inputs[1] = new_constant(graph, f"{node.name}_shape", wanted)
            node.attrs = {}


def _sample_target(node: gs.Node) -> tuple[int, ...] | None:
    """The shape of one sample after the node, or None if axis 0 is not kept."""
    if isinstance(node.inputs[0], gs.Constant):
        return None
    before = sample_shape(node.inputs[0])
    after = sample_shape(node.outputs[0]) or _completed(node, before)
    if after is not None and before is not None:
        return after if after and prod(after) == prod(before) else None
    wanted = constant(input_at(node, 1))
    keeps_axis = wanted is not None and wanted.size > 1 and wanted[0] == 0
    return tuple(int(d) for d in wanted[1:]) if wanted is not None and keeps_axis else None


def _completed(node: gs.Node, before: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The sample's shape where one length is left open, as by ``x.view(x.size(0), -1)``."""
    rows, shape = node.inputs[0].shape, node.outputs[0].shape
    if before is None or not shape or rows[0] != shape[0]:
        return None
    known = [int(d) for d in shape[1:] if isinstance(d, (int, np.integer))]
    if len(known) != len(shape) - 2 or not prod(known):
        return None
    rest = prod(before) // prod(known)
    return tuple(int(d) if isinstance(d, (int, np.integer)) else rest for d in shape[1:])
