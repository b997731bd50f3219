"""A max pool over rows, against the op in time."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnx2snn.calibration.pool_rows import max_pool_of_rows
from onnx2snn.calibration.runnable import Runnable
from onnx2snn_runtime.ops.spike_max_pool import window


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_answers_what_the_op_does(rows):
    rng = np.random.default_rng(rows)
    spikes = (rng.random((rows * 3, 2, 6, 6)) < 0.4).astype(np.float32)
    where = {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [0, 1, 0, 1]}
    node = helper.make_node("MaxPool", ["x"], ["y"], "pool", **where)
    nodes, constants = max_pool_of_rows(node, rows)
    like = onnx.ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", 18)])
    held = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    found = Runnable(like, nodes, held, ["y"], {}).run({"x": spikes})["y"]
    wanted, _ = window(spikes, np.zeros(1, np.float32), np.array(rows), **where)
    np.testing.assert_array_equal(found, wanted)
    assert found.any()
