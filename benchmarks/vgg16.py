"""VGG-16 of full width for images of 32 × 32, with random weights: for timing, not for accuracy."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Output channels of each 3 × 3 convolution; "M" halves height and width.
LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
CLASSES, OPSET, IR_VERSION = 10, 18, 8


def vgg16(seed: int) -> onnx.ModelProto:
    """The network: input "input" [N, 3, 32, 32], output "logits" [N, 10].

    Weights are normal with the variance that keeps the size of activations from layer to layer
    (He et al. 2015), biases a tenth as large.
    """
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def constant(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    current, channels = "input", 3
    for i, layer in enumerate(LAYERS):
        if layer == "M":
            sizes = {"kernel_shape": [2, 2], "strides": [2, 2]}
            nodes.append(helper.make_node("MaxPool", [current], [f"pool{i}"], f"pool{i}", **sizes))
            current = f"pool{i}"
            continue
        wide = int(layer)
        spread = np.sqrt(2 / (9 * channels))
        kernel = constant(f"conv{i}.weight", rng.normal(0, spread, (wide, channels, 3, 3)))
        bias = constant(f"conv{i}.bias", rng.normal(0, 0.1, wide))
        sizes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        inputs, outputs = [current, kernel, bias], [f"conv{i}"]
        nodes.append(helper.make_node("Conv", inputs, outputs, f"conv{i}", **sizes))
        nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"], f"relu{i}"))
        current, channels = f"relu{i}", wide
    matrix = constant("head.weight", rng.normal(0, np.sqrt(1 / channels), (CLASSES, channels)))
    bias = constant("head.bias", rng.normal(0, 0.1, CLASSES))
    nodes.append(helper.make_node("Flatten", [current], ["flat"], "flat"))
    nodes.append(helper.make_node("Gemm", ["flat", matrix, bias], ["logits"], "head", transB=1))
    graph = helper.make_graph(
        nodes,
        "vgg16",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
        weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
