"""Shares of a run by operator type, of whatever sessions are made."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable


@pytest.fixture
def network():
    """A large product and a small tangent."""
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["y"]),
        helper.make_node("ReduceMax", ["y"], ["z"]),
        helper.make_node("Tan", ["z"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [400, 400])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_shares(script, network):
    x = np.ones((400, 400), np.float32)
    runs = []

    def load():
        executable = StockExecutable(network, BackendOptions(threads=1))
        return lambda: runs.append(executable.run(["out"], {"x": x}))

    profile = script("operator_profile")
    before = onnxruntime.InferenceSession
    shares = profile.operator_shares(load)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares.keys() == {"MatMul", "ReduceMax", "Tan", profile.REST}
    assert all(share > 0 for share in shares.values())
    assert shares["MatMul"] > shares["Tan"]
    assert len(runs) == profile.RUNS
    assert onnxruntime.InferenceSession is before
