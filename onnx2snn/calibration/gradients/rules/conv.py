"""Convolutions.

The gradient of the weights at one place of the kernel is a product of matrices: of the inputs that
this place sees, and the output's gradient. (It is also a convolution with the output's gradient as
its kernel, but onnxruntime takes twice as long for such large ones.)
"""

from __future__ import annotations

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


@GRADIENTS.register("Conv")
def conv(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """DX by ConvTranspose, dW by products, db by a sum."""
    x, weight = node.input[:2]
    window = _window(backward, node)
    if backward.wants(x):
        padding = _output_padding(backward.shapes, node, window)
        inputs = [gradient, weight]
        backward.add(x, backward.emit("ConvTranspose", inputs, output_padding=padding, **window))
    if backward.wants(weight):
        backward.add(weight, _weights(backward, node, gradient, window))
    if len(node.input) > 2 and backward.wants(node.input[2]):
        axes = backward.whole([0, *range(2, len(backward.shapes[x]))])
        backward.add(node.input[2], backward.emit("ReduceSum", [gradient, axes], keepdims=0))


def _window(backward: Backward, node: onnx.NodeProto) -> dict[str, Any]:
    known = attributes(node)
    if known.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NoGradientError(f"Conv '{node.name}' has automatic padding")
    spatial = len(backward.shapes[node.input[1]]) - 2
    return {
        "strides": list(known.get("strides", [1] * spatial)),
        "pads": list(known.get("pads", [0] * 2 * spatial)),
        "dilations": list(known.get("dilations", [1] * spatial)),
        "group": int(known.get("group", 1)),
    }


def _output_padding(shapes: Any, node: onnx.NodeProto, window: dict[str, Any]) -> list[int]:
    """Places at the end that no window reaches."""
    kernel = shapes[node.input[1]][2:]
    before, after = shapes[node.input[0]][2:], shapes[node.output[0]][2:]
    pads, spatial = window["pads"], len(kernel)
    return [
        before[i]
        - (after[i] - 1) * window["strides"][i]
        - (kernel[i] - 1) * window["dilations"][i]
        - 1
        + pads[i]
        + pads[spatial + i]
        for i in range(spatial)
    ]


def _weights(
    backward: Backward, node: onnx.NodeProto, gradient: str, window: dict[str, Any]
) -> str:
    """[C_out, C_in/g, *kernel]: one product for each place of the kernel."""
    x, weight = node.input[:2]
    samples, channels, *_ = backward.shapes[x]
    outputs, _, *kernel = backward.shapes[weight]
    after, group = backward.shapes[node.output[0]][2:], window["group"]
    spatial, places = len(kernel), prod(after)
    if any(window["pads"]):
        begins, ends = window["pads"][:spatial], window["pads"][spatial:]
        x = backward.emit("Pad", [x, backward.whole([0, 0, *begins, 0, 0, *ends])])
    errors = backward.reshaped(gradient, (samples, group, outputs // group, places))
    turned = backward.emit("Transpose", [errors], perm=[0, 1, 3, 2])
    steps = [*map(backward.whole, (range(2, 2 + spatial), window["strides"]))]
    products = []
    for place in np.ndindex(*kernel):
        first = [p * d for p, d in zip(place, window["dilations"], strict=True)]
        past = [
            f + (a - 1) * s + 1 for f, a, s in zip(first, after, window["strides"], strict=True)
        ]
        seen = backward.emit("Slice", [x, backward.whole(first), backward.whole(past), *steps])
        rows = backward.reshaped(seen, (samples, group, channels // group, places))
        product = backward.emit("MatMul", [rows, turned])
        products.append(backward.emit("ReduceSum", [product, backward.whole([0])], keepdims=1))
    every = backward.emit("Concat", products, axis=0)
    return backward.reshaped(
        backward.emit("Transpose", [every], perm=[1, 3, 2, 0]), backward.shapes[weight]
    )
