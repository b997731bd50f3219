"""Look-ups in a graph."""

import numpy as np
import pytest
from onnx import helper

from onnx2snn_runtime.packed.graph import Graph, by_channel, input_at, reads, without_unread


def test_makers_readers_constants(make_model):
    model = make_model("c = Conv (s, w, bias) y = Relu (c)", ["y"])
    graph = Graph(model)
    assert graph.maker["c"].op_type == "Conv"
    assert [n.op_type for n in graph.readers["s"]] == ["Conv"]
    assert graph.only_reader("c").op_type == "Relu"
    assert graph.only_reader("y") is None
    assert graph.only_reader("timesteps") is None
    np.testing.assert_array_equal(graph.constant("bias"), [1, -2, 3])
    assert graph.constant("c") is None


def test_an_output_is_wanted_elsewhere(make_model):
    assert Graph(make_model("c = Conv (s, w) y = Relu (c)", ["y", "c"])).only_reader("c") is None


def test_what_can_be_fed_is_no_constant(make_model):
    model = make_model("y = Conv (s, w, bias)", ["y"])
    model.graph.input.append(helper.make_tensor_value_info("bias", 1, [3]))
    assert Graph(model).constant("bias") is None


def test_new_names(make_model):
    graph = Graph(make_model("y = Conv (s, w, bias)", ["y"]))
    names = [graph.new_name(n) for n in ("bias", "x", "y", "fresh", "fresh")]
    assert names == ["bias_", "x_", "y_", "fresh", "fresh_"]


def test_subgraphs_read_what_is_outside():
    inner = helper.make_graph(
        [helper.make_node("Add", ["outside", "outside"], ["z"])], "inner", [], []
    )
    node = helper.make_node("If", ["condition"], ["y"], then_branch=inner, else_branch=inner)
    assert {"condition", "outside"} <= set(reads(node))


def test_nodes_that_nobody_reads():
    kept = helper.make_node("Neg", ["x"], ["a"])
    inner = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("a", 1, None)])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    idle = [helper.make_node("Neg", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["d"])]
    assert without_unread([kept, *idle, branch], {"y"}) == [kept, branch]
    assert without_unread([kept, *idle, branch], {"d"}) == [kept, *idle]


def test_left_out_inputs():
    node = helper.make_node("Clip", ["x", "", "high"], ["y"])
    assert [input_at(node, i) for i in range(4)] == ["x", "", "high", ""]


@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (1, 3, 1, 1)])
def test_by_channel(shape):
    values = np.arange(1, 1 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    want = np.broadcast_to(values.reshape(-1), 3)
    np.testing.assert_array_equal(by_channel(values, 4, 3), want)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 1, 1), (3, 2, 1), (2, 3, 1, 1), (1,) * 5])
def test_not_by_channel(shape):
    assert by_channel(np.ones(shape, np.float32), 4, 3) is None
