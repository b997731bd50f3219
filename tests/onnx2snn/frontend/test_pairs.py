"""Quantizers as they are written into a graph."""

import numpy as np
import onnx_graphsurgeon as gs
import pytest

from onnx2snn.canonical import export
from onnx2snn.frontend.pairs import Grid, append, clip, dequantize, quantize


def test_what_integers_stand_for():
    grid = Grid(np.float32([0.5, 0.25]), np.uint8([0, 4]), axis=-1)
    assert grid.real(3).tolist() == [1.5, -0.25]
    assert grid.real(np.uint8([[1, 2], [3, 4]])).tolist() == [[0.5, -0.5], [1.5, 0.0]]
    assert grid.real(0).dtype == np.float32


@pytest.fixture
def graph():
    x = gs.Variable("x", np.float32, ["N", 2, 3])
    return gs.Graph(inputs=[x], opset=18)


@pytest.mark.parametrize("axis", [None, -2])
def test_a_whole_quantizer(graph, run_stock, axis):
    count = () if axis is None else (2,)
    grid = Grid(np.full(count, 0.25, np.float32), np.full(count, 3, np.uint8), axis)
    cut = clip(graph, "q_clip", graph.inputs[0], grid, (1, 6))
    integers = quantize(graph, "q", cut, grid)
    graph.outputs = [dequantize(graph, "q_back", integers, grid)]
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(2, 2, 3)
    got = run_stock(export(graph), x)[0]
    np.testing.assert_array_equal(got, 0.25 * np.clip(np.round(x / 0.25), -2, 3))
    assert integers.dtype == np.uint8


def test_biases_have_no_zero_point(graph):
    """DequantizeLinear takes none with int32."""
    integers = gs.Constant("b", np.arange(3, dtype=np.int32))
    dequantize(graph, "b_back", integers, Grid(np.ones(3, np.float32), np.zeros(3, np.int32), 0))
    assert len(graph.nodes[0].inputs) == 2
    assert graph.nodes[0].attrs == {"axis": 0}


def test_names_are_free(graph):
    one, two = (append(graph, "Relu", "act", [graph.inputs[0]]) for _ in range(2))
    assert one.name != two.name
    assert [n.name for n in graph.nodes] == ["act", "act_2"]
