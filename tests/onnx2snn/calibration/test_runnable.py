"""Segments put together are the network that they were cut from."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx2snn.calibration.runnable import Runnable, source_network


@pytest.fixture(scope="module", params=["AveragePool", "MaxPool"])
def net(request, jointed, cut):
    return cut(jointed(request.param))


def test_source_is_the_source(net, run_stock):
    """Activations of all populations, and the result."""
    found = source_network(net.segments).run(net.inputs)
    [result] = [s for s in net.segments if s.is_result]
    assert {s.target for s in net.segments if s.site} <= set(found)
    [y] = run_stock(net.model, net.inputs)
    np.testing.assert_allclose(found[result.error], y, rtol=1e-4, atol=1e-4)


def test_first_feed_comes_first(net):
    """A tensor may be in several."""
    source = source_network(net.segments)
    [result] = [s.error for s in net.segments if s.is_result]
    zeros = {name: 0 * values for name, values in net.inputs.items()}
    np.testing.assert_array_equal(source.run(zeros, net.inputs)[result], source.run(zeros)[result])


def test_what_nobody_needs_is_not_run():
    """Not even its inputs are asked for; what graphs inside nodes read is needed."""
    inner = [
        helper.make_graph(
            [helper.make_node(op, ["a"], [op])], op, [], [helper.make_empty_tensor_value_info(op)]
        )
        for op in ("Neg", "Abs")
    ]
    nodes = [
        helper.make_node("Exp", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "absent"], ["unused"]),
        helper.make_node("If", ["choice"], ["y"], then_branch=inner[0], else_branch=inner[1]),
    ]
    like = onnx.ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", 17)])
    known = {"choice": helper.make_tensor_value_info("choice", TensorProto.BOOL, [])}
    network = Runnable(like, nodes, [], ["y"], known)
    assert set(network.inputs) == {"x", "choice"}
    x = np.ones(2, np.float32)
    found = network.run({"x": x, "choice": np.asarray(True)})
    np.testing.assert_allclose(found["y"], -np.exp(x))
