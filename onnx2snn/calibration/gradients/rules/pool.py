"""Pools."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any

import numpy as np
import onnx

from onnx2snn.calibration.gradients.backward import (
    GRADIENTS,
    Backward,
    NoGradientError,
    attributes,
)


@GRADIENTS.register("AveragePool")
def average_pool(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """Every place of a window gets the same share: a transposed convolution by ones."""
    x = node.input[0]
    known = _window(node)
    channels, places = backward.shapes[x][1], backward.shapes[x][2:]
    after = backward.shapes[node.output[0]][2:]
    counts = _counts(places, after, known)
    shares = backward.emit("Mul", [gradient, backward.constant(1 / counts)])
    ones = backward.constant(np.ones((channels, 1, *known["kernel"])))
    padding = [
        places[i]
        - (after[i] - 1) * known["strides"][i]
        - known["kernel"][i]
        + known["pads"][i]
        + known["pads"][len(places) + i]
        for i in range(len(places))
    ]
    spread = backward.emit(
        "ConvTranspose",
        [shares, ones],
        strides=known["strides"],
        pads=known["pads"],
        group=channels,
        output_padding=padding,
    )
    backward.add(x, spread)


@GRADIENTS.register("GlobalAveragePool")
def global_average_pool(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """Every place gets the same share."""
    shape = backward.shapes[node.input[0]]
    share = backward.emit("Mul", [gradient, backward.constant(1 / prod(shape[2:]))])
    backward.add(node.input[0], backward.emit("Expand", [share, backward.whole(shape)]))


@GRADIENTS.register("MaxPool")
def max_pool(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """The place of the maximum gets all, the first one where there are several."""
    if attributes(node).get("storage_order", 0):
        raise NoGradientError(f"MaxPool '{node.name}' counts places by columns")
    if len(node.output) == 1:
        node.output.append(f"{node.output[0]}.places")
    shape = backward.shapes[node.input[0]]
    flat = backward.whole([-1])
    nothing = backward.emit(
        "ConstantOfShape",
        [backward.whole([prod(shape)])],
        value=onnx.numpy_helper.from_array(np.zeros(1, np.float32)),
    )
    places = backward.emit("Reshape", [node.output[1], flat])
    errors = backward.emit("Reshape", [gradient, flat])
    spread = backward.emit("ScatterElements", [nothing, places, errors], reduction="add")
    backward.add(node.input[0], backward.reshaped(spread, shape))


def _window(node: onnx.NodeProto) -> dict[str, Any]:
    known = attributes(node)
    spatial = len(known["kernel_shape"])
    plain = known.get("auto_pad", b"NOTSET") == b"NOTSET" and not known.get("ceil_mode", 0)
    if not plain or set(known.get("dilations", [1])) != {1}:
        raise NoGradientError(f"AveragePool '{node.name}' has an unusual window")
    return {
        "kernel": list(known["kernel_shape"]),
        "strides": list(known.get("strides", [1] * spatial)),
        "pads": list(known.get("pads", [0] * 2 * spatial)),
        "with_padding": bool(known.get("count_include_pad", 0)),
    }


def _counts(places: tuple[int, ...], after: tuple[int, ...], known: dict[str, Any]) -> Any:
    """How many places each window averages."""
    if known["with_padding"]:
        return np.float32(prod(known["kernel"]))
    axes = []
    for axis, (size, windows) in enumerate(zip(places, after, strict=True)):
        starts = np.arange(windows) * known["strides"][axis] - known["pads"][axis]
        ends = np.minimum(starts + known["kernel"][axis], size)
        axes.append(ends - np.maximum(starts, 0))
    return reduce(np.multiply.outer, axes).astype(np.float32)
