"""Tensors in time, whole or step by step."""

import numpy as np
import pytest
from onnx import helper

from onnx2snn_runtime.packed.graph import Graph
from onnx2snn_runtime.unrolled.rows import Rows


@pytest.fixture
def rows(residual):
    return Rows(Graph(residual()), 3, "x", "N")


def ops(rows):
    return [node.op_type for node in rows.nodes]


def test_a_whole_tensor_is_split_once(rows):
    first, again = rows.parts("e"), rows.parts("e")
    assert first == again == ["e.0", "e.1", "e.2"]
    assert ops(rows) == ["Split"]


def test_parts_are_put_together_once_and_for_readers_only(rows):
    rows.made("s0", ["a", "b", "c"])
    assert ops(rows) == []
    for _ in range(2):
        rows.keep(helper.make_node("Neg", ["s0"], ["n"]))
    assert ops(rows) == ["Concat", "Neg", "Neg"]
    assert list(rows.nodes[0].input) == ["a", "b", "c"]


def test_what_is_whole_too_is_not_put_together(rows):
    rows.made("e", ["c0"] * 3, whole=True)
    rows.put_together("e")
    assert ops(rows) == []
    assert rows.parts("e") == ["c0"] * 3


def test_equal_constants_are_one(rows):
    one = rows.constant(np.ones(2, np.float32))
    assert rows.constant(np.ones(2, np.float32)) == one
    others = [np.ones(2), np.ones((2, 1), np.float32), np.zeros(2, np.float32)]
    assert len({one, *map(rows.constant, others)}) == 4
    assert len(rows.initializers) == 4


def test_names_are_new(rows):
    assert rows.add("Neg", ["c0"], "c0") == "c0_"
    assert rows.shapes == []
    rows.add("Neg", ["c0"], "d", (16, 8, 8))
    dims = rows.shapes[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["N", 16, 8, 8]
