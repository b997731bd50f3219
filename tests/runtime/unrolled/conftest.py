"""A small residual network of whole numbers, with a pool and a shortcut that halves images."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from onnx2snn_runtime.opspec import DOMAIN, functions_for

OPSET = 18
BODY = """
    c0 = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
    e = org.onnx2snn.DirectEncode (c0, timesteps)
    s0, v0 = org.onnx2snn.IntegrateFire (e, theta0, init0, timesteps)
    c1 = Conv <pads = [1, 1, 1, 1]> (s0, w1, b1)
    a1 = Mul (s0, theta0)
    u1 = Add (c1, a1)
    s1, v1 = org.onnx2snn.IntegrateFire (u1, theta1, init1, timesteps)
    p, p_count = org.onnx2snn.SpikeMaxPool <kernel_shape = [2, 2], strides = [2, 2],
        pads = [0, 0, 0, 0]> (s1, zero, timesteps)
    c2 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (p, w2)
    h = Slice (p, first, end, rows, two)
    hw = Slice (h, first, end, columns, two)
    wide = Pad (hw, pads)
    a2 = Mul (wide, theta2)
    u2 = Add (a2, c2)
    s2, v2 = org.onnx2snn.IntegrateFire (u2, theta2, init2, timesteps)
    mean, acc, t_final = org.onnx2snn.SpikeDecode <mode = "sum"> (s2, zero, t_init, timesteps)
    flat = Flatten (mean)
    answer = Gemm (flat, head)
"""
#: Lengths of images, from the second axis on; and whether they are in time.
SHAPES = {
    **dict.fromkeys(["e", "s0", "c1", "a1", "u1", "s1"], (16, 8, 8)),
    "p": (16, 4, 4),
    **dict.fromkeys(["c2", "wide", "a2", "u2", "s2"], (32, 2, 2)),
    "h": (16, 2, 4),
    "hw": (16, 2, 2),
}
#: What is looked at.
LOOKS = ("answer", "s0", "s1", "p", "s2", "v0", "v1", "v2", "p_count")


def constants(rng):
    """Weights, thresholds and potentials of whole numbers, other ones for every channel."""

    def whole(low, high, *shape):
        return rng.integers(low, high + 1, shape).astype(np.float32)

    return {
        "timesteps": np.array(3, np.int64),
        "w0": whole(-3, 3, 16, 3, 3, 3),
        "b0": whole(-3, 3, 16),
        "w1": whole(-2, 2, 16, 16, 3, 3),
        "b1": whole(-3, 3, 16),
        "w2": whole(-2, 2, 32, 16, 3, 3),
        "theta0": whole(1, 9, 16, 1, 1),
        "theta1": whole(1, 9, 16, 1, 1),
        "theta2": whole(1, 9, 32, 1, 1),
        "init0": whole(0, 4, 16, 1, 1),
        "init1": whole(0, 4, 1),
        "init2": whole(0, 4, 32, 1, 1),
        "zero": np.zeros(1, np.float32),
        "t_init": np.array(0, np.int64),
        "first": np.array([0], np.int64),
        "end": np.array([2**31], np.int64),
        "rows": np.array([2], np.int64),
        "columns": np.array([-1], np.int64),
        "two": np.array([2], np.int64),
        "pads": np.array([0, 8, 0, 0, 0, 8, 0, 0], np.int64),
        "head": whole(-2, 2, 128, 5),
    }


def make(body=BODY, looks=LOOKS, shapes=SHAPES, seed=0, batch="N", **given):
    """The network, or one with another body or other constants."""
    outputs = ", ".join(f"float[] {name}" for name in looks)
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": {OPSET}, "{DOMAIN}": 1]>\n'
        f"net (float[{batch},3,8,8] x) => ({outputs}) {{ {body} }}"
    )
    for output in model.graph.output:  # of any shape
        output.type.tensor_type.ClearField("shape")
    values = constants(np.random.default_rng(seed)) | given
    read = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        numpy_helper.from_array(v, n) for n, v in values.items() if n in read
    )
    model.graph.input.append(helper.make_tensor_value_info("timesteps", TensorProto.INT64, []))
    model.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["TN", *lengths])
        for name, lengths in shapes.items()
    )
    ops = sorted({n.op_type for n in model.graph.node if n.domain == DOMAIN})
    model.functions.extend(functions_for(ops, OPSET))
    return model


@pytest.fixture(scope="session")
def residual():
    """Makes the network."""
    return make


@pytest.fixture(scope="session")
def body():
    """Its text."""
    return BODY


@pytest.fixture(scope="session")
def pictures():
    """Inputs of whole numbers: [3, 3, 8, 8]."""
    return np.random.default_rng(7).integers(-3, 4, (3, 3, 8, 8)).astype(np.float32)
