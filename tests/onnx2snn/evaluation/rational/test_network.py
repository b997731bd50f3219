"""The evaluation of a whole network."""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.evaluation.rational import RationalNetwork
from onnx2snn.frontend import canonicalise


@pytest.fixture
def residual(quantized):
    """Two convolutions and a residual sum, as a canonical model."""
    q = quantized
    x = q.pair(q.net.input(), name="in")
    left = q.pair(
        q.net.node("Relu", q.net.node("Conv", x, q.weights(3, 2, 1, 1), q.bias(3))), name="left"
    )
    right = q.pair(q.net.node("Conv", x, q.weights(3, 2, 1, 1)), scale=2.0**-2, name="right")
    end = q.pair(q.net.node("Add", left, right), scale=2.0**-3, zero_point=-4, name="end")
    return q.canonical(end)


@pytest.fixture
def images(quantized):
    return quantized.rng.integers(-60, 60, (3, 2, 6, 6)).astype(np.float32) / 32


def test_quantizers(residual):
    network = RationalNetwork(residual)
    assert sorted(network.quantizers) == ["end", "in", "left", "right"]
    assert (network.quantizers[0], network.quantizers[-1]) == ("in", "end")
    assert network.tensor_of("left") == "left_out"
    integers = np.array([[[[-4]], [[3]]]], dtype=np.int8)
    levels = network.levels_of("end", integers)
    assert levels.dtype == np.int64
    assert levels.reshape(-1).tolist() == [0, 7]
    back = network.integers_of("end", levels)
    assert back.dtype == np.int8
    np.testing.assert_array_equal(back, integers)


def test_integers_and_outputs(residual, images, tapped):
    wanted, (output,) = tapped(residual, images)
    seen = []
    outputs = RationalNetwork(residual).run({"x": images}, seen.append)
    assert tuple(r.name for r in seen) == RationalNetwork(residual).quantizers
    for rounded in seen:
        np.testing.assert_array_equal(rounded.integers, wanted[rounded.name])
    assert [r.steps is None for r in seen] == [True, False, False, False]
    assert seen[-1].zero_point.reshape(-1).tolist() == [-4]
    (got,) = outputs.values()
    np.testing.assert_array_equal(got, output)


def test_given_integers_go_on(residual, images, tapped):
    """They replace a quantizer's own in all that follows, not in what is observed of it."""
    own, _ = tapped(residual, images)
    given = {"left": np.zeros_like(own["left"])}
    seen = {}
    RationalNetwork(residual).run({"x": images}, lambda r: seen.update({r.name: r}), given)
    np.testing.assert_array_equal(seen["left"].integers, own["left"])
    np.testing.assert_array_equal(seen["right"].integers, own["right"])
    alone = own["right"].astype(np.float64) * 2.0**-2 / 2.0**-3
    np.testing.assert_array_equal(seen["end"].steps.estimate()[0], alone)


def test_exact_values_of_odd_scales(odd):
    """0.1 in float32 is 13421773 / 2^27, and so are its products."""
    net = odd.net
    x = net.node(
        "DequantizeLinear",
        net.node("QuantizeLinear", net.input(shape=("N", 2)), net.const(1.0), name="in"),
        net.const(0.1),
    )
    weights = net.node("DequantizeLinear", net.const([[1], [2]], dtype=np.int8), net.const(0.3))
    end = net.node("QuantizeLinear", net.node("MatMul", x, weights), net.const(0.7), name="end")
    model = net.model(end, check=False, shape=("N", 1), dtype=onnx.TensorProto.UINT8)
    seen = {}
    RationalNetwork(model).run(
        {"x": np.array([[3, 4]], np.float32)}, lambda r: seen.update({r.name: r})
    )
    tenth, three, seven = (Fraction(float(np.float32(v))) for v in (0.1, 0.3, 0.7))
    assert seen["end"].steps.at((0, 0)) == 11 * tenth * three / seven


def test_an_accumulator_beyond_float64(quantized):
    q = quantized
    x = q.dequantized(q.quantized(q.net.input(shape=("N", 2)), 1.0, 0, np.int8), 1.0, 0, np.int8)
    huge = q.net.const(np.full((2, 2), 2**30), dtype=np.int32)
    for _ in range(2):
        weights = q.net.node("DequantizeLinear", huge, q.net.const(1.0))
        x = q.net.node("MatMul", x, weights)
    model = q.net.model(q.quantized(x, 1.0, 0, np.int8, "end"), dtype=onnx.TensorProto.INT8)
    with pytest.raises(UnsupportedModelError):
        RationalNetwork(model).run({"x": np.full((1, 2), 100, np.float32)})


def test_a_computed_scale(quantized):
    net = quantized.net
    x = quantized.input(("N", 2))
    scale = net.node("ReduceMax", x, keepdims=0)
    end = net.node("QuantizeLinear", x, scale, name="end")
    model = net.model(end, check=False, shape=("N", 2), dtype=onnx.TensorProto.UINT8)
    with pytest.raises(UnsupportedModelError) as error:
        RationalNetwork(model)
    assert "end" in str(error.value)


@pytest.mark.realdata
def test_the_tflite_reference(data_folder, tapped):
    """MLPerf Tiny's int8 ResNet-8, every layer from onnxruntime's own integers.

    Of 590,000 integers a handful are near-ties; the average pool has true ones, which float32
    rounds as its sum happens to fall.
    """
    model = onnx.load(str(data_folder / "models" / "mlperftiny_cifar10_resnet8_int8_qdq.onnx"))
    canonical = canonicalise(model, keep_integers=True).to_model()
    with np.load(data_folder / "cifar10_test_lossless.npz") as archive:
        images = archive["images"][:4].transpose(0, 3, 1, 2).astype(np.float32)
    wanted, (output,) = tapped(canonical, images)
    differences = []

    def observe(rounded):
        apart = rounded.integers.astype(int) - wanted[rounded.name]
        differences.extend(np.abs(apart[apart != 0]).tolist())

    network = RationalNetwork(canonical)
    (got,) = network.run({model.graph.input[0].name: images}, observe, wanted).values()
    assert len(differences) <= 12
    assert set(differences) <= {1}
    np.testing.assert_array_equal(got, output)
    weights = {numpy_helper.to_array(t).dtype for t in canonical.graph.initializer}
    assert np.dtype(np.int8) in weights
