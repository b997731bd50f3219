"""Whether convolutions have the channels that their weights and groups speak of.

ONNX's shape inference does not ask, and what reckons with a group of 2³¹ takes all memory.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.errors import ModelFileError


def check_channels(graph: gs.Graph, file: str | None) -> None:
    """Check every Conv and ConvTranspose whose weights have a known shape.

    Raises:
        ModelFileError: groups that do not divide the channels, or other channels than weights.
    """
    for node in graph.nodes:
        if node.op not in {"Conv", "ConvTranspose"} or not node.inputs[1].shape:
            continue
        first, second = node.inputs[1].shape[:2]
        given = node.inputs[0].shape[1] if node.inputs[0].shape else None
        group = int(node.attrs.get("group", 1))
        if not isinstance(first, int) or not isinstance(second, int):
            continue
        wanted = second * group if node.op == "Conv" else first
        if group < 1 or first % group or (isinstance(given, int) and given != wanted):
            raise ModelFileError(
                f"weights of shape {list(node.inputs[1].shape)} in {group} groups do not fit "
                f"{given} channels",
                file=file,
                node=f"'{node.name}'",
                remedy="export the network again",
            )
