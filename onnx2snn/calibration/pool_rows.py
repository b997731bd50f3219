"""Max pools over the rows of a window, as nodes that have gradients.

A pool in time answers at every step what the largest sum of the spikes so far gained in it::

    y_t = max Σ_{τ≤t} x_τ − max Σ_{τ<t} x_τ

The maximum of each row alone would answer every spike of its window's neurons.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper


def max_pool_of_rows(
    node: onnx.NodeProto, rows: int
) -> tuple[list[onnx.NodeProto], Mapping[str, npt.NDArray[np.generic]]]:
    """The nodes in place of a MaxPool that reads [R·N, C, ...], and their constants.

    Args:
        node: the MaxPool.
        rows: R.
    """
    sums = np.tri(rows, dtype=np.float32)
    gains = np.eye(rows, dtype=np.float32) - np.eye(rows, k=-1, dtype=np.float32)
    pool = onnx.NodeProto()
    pool.CopyFrom(node)
    pool.input[0], pool.output[0] = node.input[0] + "/sums", node.output[0] + "/most"
    before, known = _product(sums, node.input[0], pool.input[0])
    behind, more = _product(gains, pool.output[0], node.output[0])
    return [*before, pool, *behind], known | more


def _product(
    matrix: npt.NDArray[np.float32], tensor: str, result: str
) -> tuple[list[onnx.NodeProto], dict[str, npt.NDArray[np.generic]]]:
    """A matrix times the rows of every value."""
    held, window = result + "/matrix", result + "/window"
    shape, flat, product = result + "/shape", result + "/flat", result + "/product"
    nodes = [
        helper.make_node("Shape", [tensor], [shape], shape),
        helper.make_node("Reshape", [tensor, window], [flat], flat),
        helper.make_node("MatMul", [held, flat], [product], product),
        helper.make_node("Reshape", [product, shape], [result], result),
    ]
    return nodes, {held: matrix, window: np.array([len(matrix), -1], dtype=np.int64)}
