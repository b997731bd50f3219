"""Convolutions.

With the batch and channel axes swapped, the gradient of the weights is itself a convolution: of
the input, by the output's gradient, strides and dilations having changed places.
"""

from __future__ import annotations

from typing import Any

import onnx

from onnx2snn.calibration.gradients.backward import (
    GRADIENTS,
    Backward,
    NoGradientError,
    Shape,
    attributes,
)


@GRADIENTS.register("Conv")
def conv(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """DX by ConvTranspose, dW by Conv, db by a sum."""
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
    """[C_out, C_in/g, *kernel] from [N, C_in, ...] and [N, C_out, ...]."""
    x, weight = node.input[:2]
    samples, channels, *places = backward.shapes[x]
    kernel, group = backward.shapes[weight][2:], window["group"]
    spatial = len(kernel)
    swapped = [1, 0, *range(2, 2 + spatial)]
    if group == 1:
        inputs = backward.emit("Transpose", [x], perm=swapped)
    else:
        split = backward.reshaped(x, (samples, group, channels // group, *places))
        turned = backward.emit("Transpose", [split], perm=[2, 1, 0, *range(3, 3 + spatial)])
        inputs = backward.reshaped(turned, (channels // group, group * samples, *places))
    errors = backward.emit("Transpose", [gradient], perm=swapped)
    product = backward.emit(
        "Conv",
        [inputs, errors],
        strides=window["dilations"],
        dilations=window["strides"],
        pads=window["pads"],
        group=group,
    )
    cropped = _cropped(backward, product, kernel)
    return backward.emit("Transpose", [cropped], perm=swapped)


def _cropped(backward: Backward, product: str, kernel: Shape) -> str:
    """Strides can leave rows behind the kernel's."""
    ends, axes = backward.whole(kernel), backward.whole(range(2, 2 + len(kernel)))
    starts = backward.whole([0] * len(kernel))
    return backward.emit("Slice", [product, starts, ends, axes])
