"""Calcium-gated neurons from quantizers: equations of the paper, and how near the integers are."""

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from onnx2snn import convert
from onnx2snn.errors import ConfigError, UnsupportedModelError
from onnx2snn.plan import ConversionPlan
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.instrument import with_outputs

S_X, S_W, S_Y = 0.25, np.array([0.125, 0.0625, 0.25], np.float32), 0.75


def chain(net, scales=S_W, op="Relu", **kinds):
    """Input ─▶ Conv ─▶ Relu ─▶ a ─▶ Conv ─▶ b."""
    x = net.data(scale=S_X)
    x = net.layer(x, (3, 2, 3, 3), scale=scales, pads=[1] * 4, name="conv")
    if op == "LeakyRelu":
        x = net.node(op, x, alpha=0.5)
    elif op:
        x = net.node(op, x)
    x = net.quantize(x, S_Y, name="a", **kinds)
    return net.model(net.quantize(net.layer(x, (4, 3, 4, 4)), 0.5, name="b"))


def converted(model, timesteps=None, **options):
    return convert(model, timesteps, recipe="gao2023", **options)


def node(result, name):
    (found,) = [n for n in result.model.graph.node if n.name == name]
    return found


def attributes(result, name):
    return {a.name: a.i for a in node(result, name).attribute}


def constants(result):
    return {t.name: numpy_helper.to_array(t) for t in result.model.graph.initializer}


def bias_of(model):
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    (first,) = [n for n in model.graph.node if n.name == "conv"]
    return values[first.input[2]]


@pytest.mark.parametrize("timesteps", [None, 33, 128, 201])
def test_threshold_and_leak_of_the_paper(quantized_net, timesteps):
    """Equation 5; the threshold knows no T, and the leak of all steps is that of the rate."""
    model = chain(quantized_net(seed=1))
    result = converted(model, timesteps)
    steps = (timesteps or 128) - 1
    plan = next(n for n in result.plan.neurons if n.site == "a")
    np.testing.assert_allclose(plan.threshold.reshape(-1), S_Y / (S_X * S_W), rtol=1e-6)
    wanted = -bias_of(model) / (S_X * S_W) / 127
    np.testing.assert_allclose(plan.leak.reshape(-1), wanted, rtol=1e-6)
    np.testing.assert_allclose(plan.amplitude, S_Y * 127 / steps, rtol=1e-6)
    given = constants(result)
    np.testing.assert_array_equal(given[node(result, "a").input[1]], plan.threshold)
    np.testing.assert_array_equal(given[node(result, "a").input[2]], plan.leak)
    assert plan.threshold.shape == (3, 1, 1)


def test_one_spike_for_one_integer(quantized_net):
    """T = 128 by itself for int8: 127 steps and the rounding row."""
    result = converted(chain(quantized_net()))
    assert result.plan.config.timesteps == 128
    assert result.plan.timesteps_fixed
    assert (result.plan.config.neuron, result.plan.config.encoding) == ("ca-lif", "isi")
    assert [n.neuron for n in result.plan.neurons] == ["ca-lif", "ca-lif"]


@pytest.mark.parametrize(
    ("kind", "zero", "op", "gated"),
    [
        (TensorProto.INT8, 0, "Relu", 1),
        (TensorProto.INT8, 0, None, 0),
        (TensorProto.INT8, -128, None, 1),
        (TensorProto.UINT8, 0, None, 1),
        (TensorProto.UINT8, 100, None, 0),
    ],
)
def test_the_gate_is_where_no_code_is_negative(quantized_net, kind, zero, op, gated):
    result = converted(chain(quantized_net(), op=op, kind=kind, zero=zero))
    assert attributes(result, "a") == {"gated": gated, "rounding": 1}
    assert attributes(result, "b")["gated"] == 0


def test_the_pool_has_no_gate_and_counts_places(quantized_net):
    net = quantized_net()
    x = net.quantize(net.relu(net.layer(net.data(), (3, 2, 1, 1))), 0.5, name="a")
    x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.quantize(x, 0.5, kind=TensorProto.INT8, name="pool")
    result = converted(net.model(net.quantize(net.layer(x, (2, 3, 2, 2)), 0.5, name="b")))
    plan = next(n for n in result.plan.neurons if n.site == "pool")
    assert plan.threshold.tolist() == [4.0]
    assert not plan.leak.any()
    assert attributes(result, "pool")["gated"] == 0


def residual(net):
    """Quantizers in front of a sum, as quantization tools write them."""
    x = net.quantize(net.relu(net.layer(net.data(), (3, 2, 1, 1))), 0.5, name="a")
    y = net.quantize(net.layer(x, (3, 3, 3, 3), pads=[1] * 4), 0.375, name="branch")
    x = net.quantize(net.relu(net.node("Add", y, x)), 0.75, name="sum")
    return net.model(net.quantize(net.layer(x, (4, 3, 4, 4)), 0.5, name="b"))


def test_currents_add_up_in_the_neurons_behind_the_sum(quantized_net):
    result = converted(residual(quantized_net()))
    assert [s.name for s in result.plan.sites] == ["a", "sum", "b"]


def test_an_activation_has_neurons_once(quantized_net):
    """Between a layer and its activation a quantizer only rounds."""
    net = quantized_net()
    x = net.quantize(net.layer(net.data(), (3, 2, 1, 1)), 0.5, name="before")
    x = net.quantize(net.relu(x), 0.5, name="a")
    result = converted(net.model(net.quantize(net.layer(x, (2, 3, 4, 4)), 0.5, name="b")))
    assert [s.name for s in result.plan.sites] == ["a", "b"]


@pytest.mark.parametrize(("scale", "sites"), [(0.5, ["a", "b"]), (0.25, ["a", "again", "b"])])
def test_what_only_moves_spikes_needs_no_neurons(quantized_net, scale, sites):
    """Unless their scale changes."""
    net = quantized_net()
    x = net.quantize(net.relu(net.layer(net.data(), (3, 2, 1, 1))), 0.5, name="a")
    x = net.quantize(net.node("Flatten", x), scale, name="again")
    x = net.layer(x, (48, 4), op="Gemm", axis=1)
    result = converted(net.model(net.quantize(x, 0.5, name="b")))
    assert [s.name for s in result.plan.sites] == sites


def integers(model, feeds, run_stock):
    """The source's last integers."""
    source = type(model)()
    source.CopyFrom(model)
    (quantizer,) = [n for n in source.graph.node if n.name == "b"]
    source.graph.output.add().name = quantizer.output[0]
    source.graph.output[-1].type.tensor_type.elem_type = TensorProto.INT8
    return run_stock(source, feeds)[-1].astype(np.int64)


@pytest.mark.parametrize("build", [chain, residual])
def test_counts_are_near_the_integers(quantized_net, run_stock, build):
    """And nearer with the rounding phase than without."""
    net = quantized_net(seed=3)
    model, feeds = build(net), net.images(24, most=200)
    wanted = integers(model, feeds, run_stock)
    errors = {}
    for neuron in ("ca-lif", "ca-lif-unrounded"):
        result = converted(model, neuron=neuron)
        got = SpikingSession(result.model).run(feeds)
        (values,) = got.values()
        errors[neuron] = np.abs(values / 0.5 - wanted).mean()
    assert errors["ca-lif"] < 0.05 * wanted.std()
    assert errors["ca-lif"] < 0.9 * errors["ca-lif-unrounded"]


def test_the_input_is_spoken_without_the_last_row(quantized_net, run_stock):
    net = quantized_net()
    model, feeds = chain(net), net.images(3)
    for timesteps in (128, 64):
        result = converted(model, timesteps)
        (encoder,) = [n for n in result.model.graph.node if n.op_type == "IsiEncode"]
        shown = with_outputs(result.model, encoder.output)
        (spikes,) = run_stock(shown, feeds, list(encoder.output))
        spikes = spikes.reshape(timesteps, -1, 2, 4, 4)
        codes = np.clip(np.rint(feeds["x"] / S_X), -128, 127)
        np.testing.assert_array_equal(
            spikes.sum(axis=0), np.rint(codes * ((timesteps - 1) / 127)).clip(-127, 127)
        )
        assert not spikes[-1].any()


def test_neurons_to_compare_with(quantized_net):
    model = chain(quantized_net())
    plain = converted(model, neuron="lif")
    assert node(plain, "a").op_type == "LeakyIntegrateFire"
    assert node(plain, "b").op_type == "CalciumIntegrateFire"  # its codes are negative at times
    unrounded = converted(model, neuron="ca-lif-unrounded")
    assert attributes(unrounded, "a") == {"gated": 1, "rounding": 0}
    assert unrounded.plan.config.timesteps == 127


def test_a_saved_plan_gives_the_same_file(quantized_net):
    model = chain(quantized_net())
    result = converted(model, 64)
    plan = ConversionPlan.from_json(result.plan.to_json())
    assert convert(model, plan=plan).model == result.model


def test_a_saturated_output_stays_in_its_type(quantized_net):
    """The rounding row may give one spike more than the largest integer."""
    net = quantized_net()
    x = net.data(scale=0.01)
    x = net.quantize(net.layer(x, (2, 2, 4, 4)), 2.0**-8, name="b")
    result = converted(net.model(x))
    (values,) = SpikingSession(result.model).run(net.images(8)).values()
    assert values.max() == 127 * 2.0**-8
    assert values.min() >= -128 * 2.0**-8


def test_there_must_be_a_step_before_the_rounding_row(quantized_net):
    with pytest.raises(ConfigError, match="at least 2"):
        converted(chain(quantized_net()), 1)


def test_a_float_network_is_refused(new_net):
    net = new_net()
    model = net.model(net.relu(net.conv(net.input(), (3, 2, 3, 3), name="first"), name="a"))
    with pytest.raises(UnsupportedModelError) as raised:
        converted(model)
    assert "quantizer" in raised.value.what
    assert "--quantize 8" in raised.value.remedy


def test_other_activations_have_no_neurons(quantized_net):
    result = converted(chain(quantized_net(), op="LeakyRelu"))
    assert [s.name for s in result.plan.sites] == ["b"]


@pytest.mark.parametrize("option", [{"arithmetic": "ort"}, {"encoding": "rate"}])
def test_stages_of_others_are_refused(quantized_net, option):
    with pytest.raises(ConfigError, match=f"takes no {next(iter(option))}"):
        converted(chain(quantized_net()), **option)


def test_its_neurons_belong_to_it(quantized_net):
    with pytest.raises(ConfigError, match="has no neurons 'if'"):
        converted(chain(quantized_net()), neuron="if")
    with pytest.raises(ConfigError, match="has no neurons 'ca-lif'"):
        convert(chain(quantized_net()), 8, neuron="ca-lif")
