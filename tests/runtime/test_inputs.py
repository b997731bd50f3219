"""Samples that do not fit a model are refused in one line, whatever asks for them."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime import DataError, SpikingSession

GOOD = np.ones((2, 1, 6, 6))


def spoiled(value):
    bad = GOOD.copy()
    bad[1, 0, 3, 3] = value
    return bad


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (spoiled(np.nan), "NaN"),
        (spoiled(np.inf), "infinity"),
        (spoiled(-np.inf), "infinity"),
        (spoiled(1e300), "infinity"),  # too large for float32
        (GOOD.astype(object), "object"),
        (None, "object"),
        (GOOD.astype(str), "not numbers"),
        (GOOD.astype(complex), "complex128"),
        (GOOD.astype("datetime64[s]"), "datetime64"),
        ([[1], [2, 3]], "no array"),
        (np.float64(3), "[]"),
        (GOOD[0], "[1, 6, 6]"),
        (GOOD[None], "[1, 2, 1, 6, 6]"),
        (GOOD[..., :5], "[2, 1, 6, 5]"),
        (np.ones((2, 2, 6, 6)), "[2, 2, 6, 6]"),
        (GOOD[:0], "no samples"),
        ({"image": GOOD[:0]}, "no samples"),
        ({"picture": GOOD}, "picture"),
        ({"image": GOOD, "timesteps": np.array(3)}, "timesteps"),
        ({"image": GOOD, "more": GOOD}, "more"),
        ({}, "missing"),
    ],
)
@pytest.mark.parametrize("method", ["run", "observe", "trace"])
def test_single_input(session, method, inputs, words, one_line):
    with pytest.raises(DataError) as error:
        getattr(session, method)(inputs)
    assert words in one_line(error)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.ones((2, 3)), "left, right"),
        ({"left": np.ones((2, 3))}, "left, right"),
        ({"left": np.ones((2, 3)), "right": np.ones((3, 3))}, "number of samples"),
        ({"left": np.ones((2, 3)), "right": np.ones((0, 3))}, "number of samples"),
        ({"left": np.ones((2, 3)), "right": np.ones((2, 4))}, "'right'"),
        ({"left": np.ones((2, 3)), "right": np.full((2, 3), np.nan)}, "'right'"),
    ],
)
def test_several_inputs(two_inputs, inputs, words, one_line):
    with pytest.raises(DataError) as error:
        SpikingSession(two_inputs()).run(inputs)
    assert words in one_line(error)


@pytest.mark.parametrize(
    ("value", "words"),
    [(1.5, "int8"), (300, "int8"), (-129, "int8"), (np.nan, "NaN"), (1e30, "int8")],
)
def test_integer_input(network, value, words, one_line):
    """Values that an integer input cannot hold are refused, not wrapped or cut."""
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    cast = helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT)
    model.graph.node[0].input[0] = "floats"
    model.graph.node.insert(0, cast)
    session = SpikingSession(model)
    session.run(GOOD)
    with pytest.raises(DataError) as error:
        session.run(spoiled(value))
    assert words in one_line(error)


def test_names_the_file(network, tmp_path, one_line):
    path = tmp_path / "network.onnx"
    path.write_bytes(network().SerializeToString())
    with pytest.raises(DataError) as error:
        SpikingSession(path).run(spoiled(np.nan))
    assert one_line(error).startswith(str(path))
