"""Every recipe on networks and data that are no pleasure: a sound file, or one clear line."""

import itertools

import numpy as np
import pytest
from onnx import numpy_helper

import onnx2snn
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.methods import RECIPES
from onnx2snn.methods.planner import AUTO
from onnx2snn_runtime import SpikingSession

SHAPE = (2, 6, 6)


def quantizer(net, x, scale, zero, dtype):
    given = [net.const(scale), net.const(np.array(zero, dtype), dtype=None)]
    return net.node("DequantizeLinear", net.node("QuantizeLinear", x, *given), *given)


def quantized_network(net):
    def weights(*shape):
        codes = net.const(net.rng.integers(-127, 128, shape).astype(np.int8), dtype=None)
        zero = net.const(np.array(0, np.int8), dtype=None)
        return net.node("DequantizeLinear", codes, net.const(0.01), zero)

    y = quantizer(net, net.input(), 1 / 128, 128, np.uint8)
    y = net.relu(net.node("Conv", y, weights(3, 2, 3, 3), pads=[1] * 4))
    y = net.relu(net.node("Conv", quantizer(net, y, 0.02, 0, np.uint8), weights(4, 3, 3, 3)))
    y = net.node("Flatten", quantizer(net, y, 0.05, 0, np.uint8))
    return net.model(net.node("Gemm", y, weights(64, 3)))


def float_network(net, *, norm=False, weights=None, bias=None):
    """Two layers; the second one's weights and bias may be given."""
    y = net.conv(net.input(), (3, 2, 3, 3), bias=True, pads=[1] * 4)
    y = net.relu(net.norm(y, 3) if norm else y)
    if weights is None:
        y = net.conv(y, (4, 3, 3, 3), bias=True)
    else:
        y = net.node("Conv", y, net.const(weights), net.const(bias))
    y = net.node("AveragePool", net.relu(y), kernel_shape=[2, 2], strides=[2, 2])
    return net.model(net.gemm(net.node("Flatten", y), (16, 3)))


def dead_channels(net):
    weights = net.rng.normal(0, 0.3, (4, 3, 3, 3))
    weights[1] = 0
    return float_network(net, weights=weights, bias=np.array([0, -1, 0.1, -50.0]))


def all_zero(net):
    y = net.node("Conv", net.input(), net.const(np.zeros((3, 2, 3, 3))), net.const(np.zeros(3)))
    y = net.node("Flatten", net.relu(y))
    return net.model(net.node("Gemm", y, net.const(np.zeros((48, 3))), net.const(np.zeros(3))))


NETWORKS = {
    "float": float_network,
    "norm": lambda net: float_network(net, norm=True),
    "quantized": quantized_network,
    "dead": dead_channels,
    "zero layer": lambda net: float_network(
        net, weights=np.zeros((4, 3, 3, 3)), bias=np.zeros(4)
    ),
    "all zero": all_zero,
}  # fmt: skip
RNG = np.random.default_rng(0)
DATA = {
    "none": None,
    "many": RNG.uniform(-1, 1, (20, *SHAPE)).astype(np.float32),
    "one": RNG.uniform(-1, 1, (1, *SHAPE)).astype(np.float32),
    "constant": np.zeros((4, *SHAPE), np.float32),
}
#: What each recipe may refuse.
REFUSALS = (
    "needs calibration data", "takes no calibration_data", "holds no quantizer", "T of at least 2",
)  # fmt: skip

every_recipe = pytest.mark.parametrize("recipe", RECIPES.names())


def convert(model, recipe, data, timesteps):
    exact = RECIPES.get(recipe).is_exact
    return onnx2snn.convert(
        model, None if exact else timesteps, recipe=recipe, calibration_data=data
    )


def outcome(*arguments):
    """The model, or why there is none."""
    try:
        return convert(*arguments).model, None
    except Onnx2SnnError as error:
        return None, error


@every_recipe
@pytest.mark.parametrize("network", NETWORKS)
def test_sound_or_refused(recipe, network, new_net):
    model = NETWORKS[network](new_net())
    for data, timesteps in itertools.product(DATA.values(), (1, 4)):
        converted, refusal = outcome(model, recipe, data, timesteps)
        if refusal is not None:
            assert "\n" not in str(refusal)
            assert refusal.remedy
            assert any(text in str(refusal) for text in REFUSALS), str(refusal)
            continue
        for tensor in converted.graph.initializer:
            assert np.isfinite(numpy_helper.to_array(tensor)).all(), tensor.name
        for values in SpikingSession(converted).run(DATA["many"][:3]).values():
            assert np.isfinite(values).all()


@every_recipe
def test_data_that_are_no_numbers(recipe, new_net):
    data = np.full((4, *SHAPE), np.nan, np.float32)
    with pytest.raises(Onnx2SnnError) as caught:
        convert(quantized_network(new_net()), recipe, data, 4)
    assert "\n" not in str(caught.value)
    assert "NaN" in str(caught.value) or "takes no calibration_data" in str(caught.value)


@every_recipe
def test_refusals_name_what_would_do(recipe, new_net):
    """Without data or quantizers: what is needed, and a recipe that works."""
    model = float_network(new_net())
    needy = RECIPES.get(recipe)
    if recipe == AUTO:
        assert convert(model, recipe, None, 4).model.graph.node
        return
    with pytest.raises(Onnx2SnnError) as caught:
        convert(model, recipe, None, 4)
    assert "recipe auto" in caught.value.remedy
    wanted = "quantizer" if needy.emission else "calibration data"
    assert wanted in caught.value.what
    assert convert(model, AUTO, None, 4).model.graph.node


def test_a_stage_in_place_of_the_one_that_needs_data(new_net):
    model = quantized_network(new_net())
    result = onnx2snn.convert(model, 4, recipe="opi", threshold="quantizer")
    assert result.plan.config.recipe == "opi"
