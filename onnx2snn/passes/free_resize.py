"""Write resizes to given sizes so that they hold for any batch.

::

    Resize(x, sizes = [1, c, h, w])  ──▶  Resize(x, sizes = [c, h, w]; axes = [1, 2, 3])
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import constant, input_at, new_constant, rank


def free_resize(canonical: CanonicalGraph) -> None:
    """Leave the batch out of every Resize that names all sizes and keeps axis 0."""
    for node in canonical.graph.nodes:
        if node.op == "Resize" and _keeps_batch(node):
            sizes = constant(node.inputs[3])
            assert sizes is not None
            node.inputs[3] = new_constant(canonical.graph, f"{node.name}_sizes", sizes[1:])
            node.attrs["axes"] = list(range(1, len(sizes)))


def _keeps_batch(node: gs.Node) -> bool:
    sizes, ndim = constant(input_at(node, 3)), rank(node.inputs[0])
    if sizes is None or sizes.size != ndim or node.attrs.get("axes") is not None:
        return False
    before = (node.inputs[0].shape or [None])[0]
    # A region of interest names all axes, and a policy for the ratio reads all of them.
    plain = node.attrs.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    return bool(before == int(sizes[0])) and plain and not _roi(node)


def _roi(node: gs.Node) -> bool:
    return bool(node.attrs.get("coordinate_transformation_mode") == "tf_crop_and_resize")
