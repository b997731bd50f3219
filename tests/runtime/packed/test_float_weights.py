"""Integer weights of convolutions as constants."""

import numpy as np
import pytest
from onnx import numpy_helper

from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.packed.float_weights import with_float_weights

HEAD = """
    e = org.onnx2snn.DirectEncode (x, timesteps)
    s, s_v = org.onnx2snn.IntegrateFire (e, theta, v, timesteps)
"""


def ops(model):
    return [n.op_type for n in model.graph.node]


def run(model, names):
    x = np.random.default_rng(4).normal(0, 3, (2, 2, 4, 4)).astype(np.float32)
    return StockExecutable(model, BackendOptions()).run(names, {"x": x})


@pytest.mark.parametrize(
    ("weights", "given"),
    [
        ("w = DequantizeLinear <axis = 0> (q, scale)", {}),
        (
            "w = DequantizeLinear <axis = -4> (q, scale, zero)",
            {"zero": np.array([3, 0, -2], np.int8)},
        ),
        ("w = DequantizeLinear (q, one_scale)", {"one_scale": np.array(0.37, np.float32)}),
        ("w = DequantizeLinear (q, one_scale)", {"one_scale": np.array([0.37], np.float32)}),
        ("w = DequantizeLinear (q, pair)", {"pair": np.array([0.3, 7], np.float32)}),
    ],
    ids=["outputs", "zero points", "all", "all as a vector", "inputs"],
)
def test_the_same_floats(make_model, weights, given):
    given = {"scale": np.array([0.1, 0.7, 1e-3], np.float32), **given}
    model = make_model(
        f"{weights} y = Conv (s, w) z = Conv (s, w, bias)", ["y", "z"], HEAD, **given
    )
    changed = with_float_weights(model)
    assert "DequantizeLinear" not in ops(changed)
    assert not any(t.name == "q" for t in changed.graph.initializer)
    shown = make_model(f"{weights} u = Identity (w)", ["u"], HEAD, **given)
    kept = next(t for t in changed.graph.initializer if t.name == "w")
    np.testing.assert_array_equal(numpy_helper.to_array(kept), run(shown, ["u"])[0])
    for a, b in zip(run(changed, ["y", "z"]), run(model, ["y", "z"]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "body",
    [
        "w = DequantizeLinear <axis = 0> (q, scale) y = Relu (w)",
        "w = DequantizeLinear <axis = 0> (q, scale) c = Conv (s, w) y = Relu (w)",
        "k = Abs (scale) w = DequantizeLinear <axis = 0> (q, k) y = Conv (s, w)",
        "k = Abs (q) w = DequantizeLinear <axis = 0> (k, scale) y = Conv (s, w)",
        "k = Abs (zero) w = DequantizeLinear <axis = 0> (q, scale, k) y = Conv (s, w)",
    ],
)
def test_others_stay(make_model, body):
    model = make_model(body, ["y"], HEAD, zero=np.zeros(3, np.int8))
    assert with_float_weights(model) is model


def test_outputs_stay(make_model):
    model = make_model(
        "w = DequantizeLinear <axis = 0> (q, scale) y = Conv (s, w)", ["y", "w"], HEAD
    )
    assert with_float_weights(model) is model


def test_shapes_are_kept(residual_like):
    changed = with_float_weights(residual_like)
    assert [v.name for v in changed.graph.value_info] == ["s"]


@pytest.fixture
def residual_like(make_model):
    """A model that declares a shape."""
    model = make_model("w = DequantizeLinear <axis = 0> (q, scale) y = Conv (s, w)", ["y"], HEAD)
    value = model.graph.value_info.add()
    value.CopyFrom(model.graph.input[0])
    value.name = "s"
    return model
