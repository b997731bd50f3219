"""What is made from an OpSpec, and the helpers of op files."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime.errors import RegistryError
from onnx2snn_runtime.opspec import (
    DOMAIN,
    OPS,
    Attr,
    OpSpec,
    Param,
    as_float32,
    choice,
    functions_for,
    merge_time,
    register_schemas,
    split_time,
    unknown_rows,
)


def made_up(**changes):
    """An op that doubles, in a spec that is not registered."""
    known = {
        "name": "Double",
        "since_version": 1,
        "summary": "Doubles.",
        "definition": "y = 2·x",
        "inputs": (Param("x", "any", "a value"),),
        "outputs": (Param("y", "any", "its double"),),
        "attributes": (
            Attr("need", "ints", "is required"),
            Attr("word", "string", "has a default", default="one", choices=("one", "two")),
            Attr("number", "int", "has a default of zero", default=0),
        ),
        "window": lambda x, *, need, word="one", number=0: (x + x,),
        "infer_shapes": lambda shapes, attributes: (shapes[0],),
        "body": "y = Add (x, x)",
    }
    return OpSpec(**(known | changes))


def doubling(**attributes):
    """A model with the made-up op."""
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy"]
    node = helper.make_node("Double", ["x"], ["y"], domain=DOMAIN, **attributes)
    return helper.make_model(
        helper.make_graph([node], "graph", values[:1], values[1:]),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)],
        ir_version=8,
    )


def test_defaults():
    """A default of 0 is a default; a required attribute has none."""
    assert made_up().defaults() == {"word": "one", "number": 0}


def test_function():
    function = made_up().function(17)
    assert list(function.attribute) == ["need"]
    assert {a.name: helper.get_attribute_value(a) for a in function.attribute_proto} == {
        "word": b"one",
        "number": 0,
    }
    assert [(o.domain, o.version) for o in function.opset_import] == [("", 17)]
    assert function.doc_string == "Doubles."


def test_function_that_calls_another_op_imports_the_domain():
    function = made_up(calls=("IntegrateFire",)).function(17)
    assert {o.domain for o in function.opset_import} == {"", DOMAIN}


def test_schema_hands_attributes_to_shape_inference():
    """Strings as strings, defaults where the node has none."""
    seen = []

    def infer_shapes(shapes, attributes):
        seen.append(dict(attributes))
        return (shapes[0],)

    onnx.defs.register_schema(made_up(infer_shapes=infer_shapes).schema())
    try:
        for word in ({"word": "two"}, {}):
            onnx.shape_inference.infer_shapes(doubling(need=[1, 2], **word), strict_mode=True)
    finally:
        onnx.defs.deregister_schema("Double", 1, DOMAIN)
    assert seen == [
        {"need": [1, 2], "word": "two", "number": 0},
        {"need": [1, 2], "word": "one", "number": 0},
    ]


def test_functions_for():
    assert [f.name for f in functions_for(["SpikeAveragePool", "DirectEncode"], 17)] == [
        "DirectEncode",
        "IntegrateFire",  # called by the pool
        "SpikeAveragePool",
    ]
    assert [f.name for f in functions_for(["ChannelExpand"], 17)] == [
        "RateEncode",  # in front of what calls it: onnx.reference needs that
        "ChannelExpand",
    ]
    assert [f.name for f in functions_for(["IntegrateFire"] * 2, 17)] == ["IntegrateFire"]
    assert functions_for([], 17) == []
    with pytest.raises(RegistryError):
        functions_for(["Nope"], 17)


def test_register_schemas_twice():
    register_schemas()
    register_schemas()
    assert all(onnx.defs.has(spec.name, DOMAIN) for spec in OPS)


def test_split_and_merge_time():
    rows = np.arange(24).reshape(6, 2, 2)
    steps = split_time(rows, 3)
    assert steps.shape == (3, 2, 2, 2)
    np.testing.assert_array_equal(steps[1, 0], rows[2])  # row t·N + n
    np.testing.assert_array_equal(merge_time(steps), rows)
    assert merge_time(split_time(rows[:0], 3)).shape == (0, 2, 2)


def test_split_time_of_rows_that_do_not_fit():
    with pytest.raises(ValueError, match="reshape"):
        split_time(np.zeros((5, 2)), 2)


@pytest.mark.parametrize(
    ("shape", "want"),
    [
        ((0, 3), (0, 3)),
        ((6, 3), (None, 3)),
        (("N", "H"), (None, "H")),
        ((None,), (None,)),
        ((), (None,)),
    ],
)
def test_unknown_rows(shape, want):
    """Neither [N] from [T·N] nor the other way round; only nothing stays nothing."""
    assert unknown_rows(shape) == want


def test_choice():
    assert choice("word", "a word", "one", "two") == Attr(
        "word", "string", "a word", default="one", choices=("one", "two")
    )


def test_as_float32():
    arrays = as_float32(np.array([1], np.int8), 2.0)
    assert [a.dtype for a in arrays] == [np.float32, np.float32]
