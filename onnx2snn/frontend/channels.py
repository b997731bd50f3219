"""Whether convolutions have the channels that their weights and groups speak of.

ONNX's shape inference does not ask, and what reckons with a group of 2³¹ takes all memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_graphsurgeon as gs

from onnx2snn.errors import ModelFileError, naming
from onnx2snn.graphs import input_at


def check_channels(graph: gs.Graph, file: str | None) -> None:
    """Check every Conv and ConvTranspose whose weights have a known shape.

    Raises:
        ModelFileError: groups that do not divide the channels, or other channels than weights, or
            another bias.
    """
    for node in graph.nodes:
        if node.op in {"Conv", "ConvTranspose"} and node.inputs[1].shape:
            with naming(file, ModelFileError, remedy="export the network again"):
                _check(node)


def _check(node: gs.Node) -> None:
    shape, group = node.inputs[1].shape, int(node.attrs.get("group", 1))
    given = node.inputs[0].shape[1] if node.inputs[0].shape else None
    transposed = node.op == "ConvTranspose"
    if not _fit(shape, group, given, transposed=transposed):
        raise ModelFileError(
            f"weights of shape {list(shape)} in {group} groups do not fit {given} channels",
            node=f"'{node.name}'",
        )
    bias = input_at(node, 2)
    lengths = [*shape[:2], *(bias.shape or [] if bias is not None else [])]
    outs = shape[1] * group if transposed else shape[0]
    if all(isinstance(n, int) for n in lengths) and lengths[2:] not in ([], [outs]):
        raise ModelFileError(
            f"a bias of shape {lengths[2:]} does not fit {outs} channels", node=f"'{node.name}'"
        )


def _fit(
    shape: Sequence[int | str], group: int, given: int | str | None, *, transposed: bool
) -> bool:
    """Whether weights and channels fit, as far as their sizes are known."""
    if len(shape) < 3 or group < 1:
        return False
    first, second = shape[:2]
    if not isinstance(first, int) or not isinstance(second, int):
        return True
    channels = first if transposed else second * group
    return first % group == 0 and (not isinstance(given, int) or given == channels)
