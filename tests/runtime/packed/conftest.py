"""Small spiking graphs as text."""

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnx2snn_runtime.opspec import DOMAIN, functions_for

OPSET = 19


def parse(body, outputs, constants, inputs="float[N,2,4,4] x"):
    """A model of a graph's text; constants by name. T is 3."""
    declared = ", ".join(f"float[] {name}" for name in outputs)
    model = parser.parse_model(
        f'<ir_version: 9, opset_import: ["": {OPSET}, "{DOMAIN}": 1]>\n'
        f"packed ({inputs}) => ({declared}) {{ {body} }}"
    )
    for output in model.graph.output:  # of any shape
        output.type.tensor_type.ClearField("shape")
    values = {"timesteps": np.array(3, np.int64), **constants}
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in values.items())
    ops = sorted({n.op_type for n in model.graph.node if n.domain == DOMAIN})
    model.functions.extend(functions_for(ops, OPSET))
    return model


HEAD = """
    e = org.onnx2snn.DirectEncode (x, timesteps)
    s, s_v = org.onnx2snn.IntegrateFire (e, theta, v, timesteps)
    w = DequantizeLinear <axis = 0> (q, scale)
"""
CONSTANTS = {
    "theta": np.full((2, 1, 1), 3, np.float32),
    "theta3": np.full((3, 1, 1), 40, np.float32),
    "v": np.ones(1, np.float32),
    "q": np.random.default_rng(0).integers(-127, 128, (3, 2, 3, 3)).astype(np.int8),
    "scale": np.array([1, 0.5, 2], np.float32),
    "bias": np.array([1, -2, 3], np.float32),
}


@pytest.fixture
def make_model():
    """Makes a model: encoded x, a population s of two channels, weights w; then the body."""

    def make(body, outputs, head=HEAD, **constants):
        return parse(head + body, outputs, {**CONSTANTS, **constants})

    return make
