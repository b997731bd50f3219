"""What a current is the sum of."""

import numpy as np
import pytest

from onnx2snn_runtime.packed.graph import Graph
from onnx2snn_runtime.time_axis import tensors_in_time
from onnx2snn_runtime.unrolled.currents import Layer, Shortcut, find_terms

SHAPES = {"s0": (16, 8, 8), "s1": (16, 8, 8), "p": (16, 4, 4)}


def terms(model, current):
    lengths = {v.name: v.type.tensor_type.shape.dim[1:] for v in model.graph.value_info}
    shapes = {name: tuple(d.dim_value for d in dims) for name, dims in lengths.items()}
    return find_terms(Graph(model), current, shapes, tensors_in_time(model))


def test_layers_come_first(residual):
    layer, shortcut = terms(residual(), "u2")
    assert isinstance(layer, Layer)
    assert layer.node.op_type == "Conv"
    assert isinstance(shortcut, Shortcut)


def test_a_product(residual):
    model = residual()
    theta = next(
        np.frombuffer(t.raw_data, np.float32) for t in model.graph.initializer if t.name == "theta0"
    )
    shortcut = terms(model, "u1")[1]
    assert (shortcut.source, shortcut.strides) == ("s0", (1, 1))
    np.testing.assert_array_equal(shortcut.weights, np.diag(theta))


def test_halved_images_and_silent_channels(residual):
    model = residual()
    theta = next(
        np.frombuffer(t.raw_data, np.float32) for t in model.graph.initializer if t.name == "theta2"
    )
    shortcut = terms(model, "u2")[1]
    assert (shortcut.source, shortcut.strides) == ("p", (2, 2))
    np.testing.assert_array_equal(shortcut.weights, np.diag(theta)[:, 8:24])


def test_a_layer_that_others_read_is_not_computed_twice(residual, body):
    model = residual(body + "more = Neg (c1)", ("more",))
    assert not any(isinstance(term, Layer) for term in terms(model, "u1"))


@pytest.mark.parametrize(
    ("name", "value", "source"),
    [
        ("first", 1, "hw"),
        ("first", -4, "hw"),
        ("end", 3, "hw"),
        ("two", -2, "hw"),
        ("rows", 1, "h"),
    ],
)
def test_other_slices_are_where_a_shortcut_begins(residual, name, value, source):
    model = residual(**{name: np.array([value], np.int64)})
    assert terms(model, "u2")[1].source == source


@pytest.mark.parametrize("pads", [[0, 8, 1, 0, 0, 8, -1, 0], [0, 17, 0, 0, 0, -1, 0, 0]])
def test_other_pads_are_where_a_shortcut_begins(residual, pads):
    assert terms(residual(pads=np.array(pads, np.int64)), "u2")[1].source == "wide"


def test_a_pad_of_ones_is_where_a_shortcut_begins(residual, body):
    loud = body.replace("Pad (hw, pads)", "Pad (hw, pads, one)")
    model = residual(loud, one=np.array(1, np.float32))
    assert terms(model, "u2")[1].source == "wide"


def test_factors_of_pixels_are_where_a_shortcut_begins(residual):
    model = residual(theta0=np.arange(1, 65, dtype=np.float32).reshape(1, 8, 8).repeat(16, axis=0))
    assert terms(model, "u1")[1].source == "a1"
