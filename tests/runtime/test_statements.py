"""What the shared statements compute, in onnxruntime and in the ONNX reference evaluator."""

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx2snn_runtime.opspec import DOMAIN, Attr, OpSpec, Param
from onnx2snn_runtime.statements import (
    final_states,
    flattened,
    flattened_states,
    text_choice,
    window_shapes,
)


def computed(bench, body, feeds, *outputs, **attributes):
    """The ``outputs`` of a made-up op with this body, which stock and reference agree on."""
    spec = OpSpec(
        name="MadeUp",
        since_version=1,
        summary="",
        definition="",
        inputs=tuple(Param(name, "", "") for name in feeds),
        outputs=tuple(Param(name, "", "") for name in outputs),
        attributes=tuple(Attr(name, "string", "") for name in attributes),
        window=lambda *inputs: inputs,
        infer_shapes=lambda shapes, attributes: shapes,
        body=body,
    )
    types = {n: helper.np_dtype_to_tensor_dtype(a.dtype) for n, a in feeds.items()}
    known = [helper.make_tensor_value_info(n, t, feeds[n].shape) for n, t in types.items()]
    found = [helper.make_value_info(name, onnx.TypeProto()) for name in outputs]
    node = helper.make_node("MadeUp", list(feeds), list(outputs), domain=DOMAIN, **attributes)
    model = helper.make_model(
        helper.make_graph([node], "graph", known, found),
        functions=[spec.function(17)],
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)],
        ir_version=8,
    )
    answers = bench.load_stock(model).run(None, feeds)
    others = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    for answer, other in zip(answers, others, strict=True):
        np.testing.assert_array_equal(answer, other)
    return answers


@pytest.mark.parametrize("word", ["one", "two", "three", "on", "oneone", ""])
@pytest.mark.parametrize("choice", ["one", "two"])
def test_text_choice(bench, word, choice):
    """Strings of any length are compared."""
    body = text_choice("word", choice) + f"\n  y = Add (x, word_is_{choice})"
    (flag,) = computed(bench, body, {"x": np.zeros(1, np.float32)}, "y", word=word)
    assert flag.tolist() == [word == choice]


def test_window_shapes(bench):
    """Six rows in three steps: two samples of four values each."""
    names = ("steps", "rows", "samples", "tail", "sample_shape", "flat", "window_shape", "axis")
    feeds = {"X": np.zeros((6, 4, 1), np.float32), "T": np.array(3)}
    found = computed(bench, window_shapes("X"), feeds, *names)
    assert [array.tolist() for array in found] == [
        [3],
        [6],
        [2],
        [4, 1],
        [2, 4, 1],
        [8],
        [3, 8],
        [1],
    ]


def test_states_are_flattened_and_given_back(bench):
    """A state of one row for all samples, and one for each: both are [flat], then [N, ...]."""
    feeds = {
        "X": np.zeros((6, 2), np.float32),
        "theta": np.array([1, 2], np.float32),
        "v_init": np.array([[3], [4]], np.float32),
        "T": np.array(3),
    }
    body = window_shapes("X") + flattened("theta") + flattened_states("v")
    body += "\n  v_last = Mul (v_flat, theta_flat)" + final_states("v")
    theta, v, final = computed(bench, body, feeds, "theta_flat", "v_flat", "v_final")
    assert theta.tolist() == [1, 2, 1, 2]
    assert v.tolist() == [3, 3, 4, 4]
    assert final.tolist() == [[3, 6], [4, 8]]
