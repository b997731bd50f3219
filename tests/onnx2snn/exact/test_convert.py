"""T of each recipe, what the plan says, and what is refused."""

import dataclasses

import pytest
from onnx import TensorProto

from onnx2snn import convert
from onnx2snn.errors import ConfigError, PlanError, StrictError, UnsupportedModelError
from onnx2snn.plan import ConversionPlan
from onnx2snn_runtime import SpikingSession


def chain(net, kinds=(TensorProto.INT8, TensorProto.INT8), zero=0):
    """Input ─▶ layer ─▶ a ─▶ layer ─▶ b."""
    x = net.data(kind=kinds[0], zero=zero)
    x = net.quantize(net.layer(x, (2, 2, 1, 1)), 2.0**-6, zero, kinds[1], name="a")
    x = net.quantize(net.layer(x, (2, 2, 1, 1)), 2.0**-9, zero, kinds[1], name="b")
    return net.model(x)


def told(result, code):
    return [d for d in result.diagnostics if d.code == code]


# ---------------------------------------------------------------------------------------------
# T.


@pytest.mark.parametrize(
    ("kinds", "zero", "radix", "averaged"),
    [
        ((TensorProto.INT8, TensorProto.INT8), 0, 8, 128),
        ((TensorProto.INT8, TensorProto.INT8), -128, 8, 255),
        ((TensorProto.UINT8, TensorProto.INT8), 0, 8, 255),
        ((TensorProto.UINT4, TensorProto.UINT4), 0, 4, 15),
        ((TensorProto.INT4, TensorProto.INT4), -1, 4, 8),
        ((TensorProto.INT4, TensorProto.UINT8), 0, 8, 255),
    ],
)
def test_how_many_steps(quantized_net, kinds, zero, radix, averaged):
    model = chain(quantized_net(seed=1, opset=21), kinds, zero)
    assert convert(model, recipe="exact-radix").plan.config.timesteps == radix
    assert convert(model, recipe="exact-asg").plan.config.timesteps == averaged


def test_unary_takes_the_longest_path(quantized_net):
    """One step for the input and the range of both populations; a smaller T may be asked for."""
    model = chain(quantized_net(seed=2))
    result = convert(model, recipe="exact")
    (settles,) = told(result, "SETTLES")
    assert result.plan.config.timesteps == 1 + 255 + 255
    assert "511 steps" in settles.what
    assert not result.plan.timesteps_fixed
    short = convert(model, 20, recipe="exact")
    (warned,) = told(short, "MAY_NOT_SETTLE")
    assert "511" in warned.what
    assert "verify" in warned.remedy
    assert SpikingSession(short.model).timesteps == 20
    longer = convert(model, 600, recipe="exact")
    assert told(longer, "SETTLES")


def test_the_shorter_branch_does_not_count(quantized_net):
    net = quantized_net(seed=3, opset=21)
    x = net.data(kind=TensorProto.UINT4)
    y = net.quantize(net.layer(x, (2, 2, 1, 1)), 0.25, 0, TensorProto.UINT4, name="a")
    x = net.quantize(net.node("Add", x, y), 0.25, 0, TensorProto.UINT4, name="b")
    assert convert(net.model(x), recipe="exact").plan.config.timesteps == 1 + 15 + 15


def test_radix_takes_no_other_number_of_steps(quantized_net):
    model = chain(quantized_net(seed=4))
    for steps in (7, 9):
        with pytest.raises(ConfigError, match=rf"takes T = 8.*not {steps}; leave out -T"):
            convert(model, steps, recipe="exact-radix")
    assert convert(model, 8, recipe="exact-radix").plan.timesteps_fixed


def test_averaged_takes_more_steps_and_no_fewer(quantized_net, exactly):
    net = quantized_net(seed=5)
    model = chain(net)
    with pytest.raises(ConfigError, match=r"at least 128.*not 127; leave out -T, or give -T 128"):
        convert(model, 127, recipe="exact-asg")
    exactly(model, net.images()).check("exact-asg", timesteps=150)


def test_a_population_that_nobody_hears_needs_no_steps(quantized_net):
    """Sixteen bits on a branch that ends nowhere."""
    net = quantized_net(seed=6)
    x = net.data()
    net.quantize(net.layer(x, (2, 2, 1, 1)), 2.0**-9, 0, TensorProto.INT16, name="unheard")
    x = net.quantize(net.layer(x, (2, 2, 1, 1)), 0.25, name="heard")
    result = convert(net.model(x), recipe="exact-radix")
    assert (len(result.plan.sites), result.plan.config.timesteps) == (1, 8)


def test_integers_that_only_an_analog_part_reads_need_no_steps(quantized_net):
    """An encoder is made for a layer that turns out to stay analog."""
    net = quantized_net(seed=7)
    wide = net.quantize(net.input("y", ("N", 2, 4, 4)), 2.0**-9, 0, TensorProto.INT16, name="wide")
    odd = net.node("Mul", wide, wide, name="odd")
    x = net.node("Add", net.data(), net.quantize(odd, 0.25, name="product"))
    x = net.quantize(x, 0.25, name="a")
    assert convert(net.model(x), recipe="exact-radix").plan.config.timesteps == 8


# ---------------------------------------------------------------------------------------------
# Diagnostics, plans.


def test_the_plan_tells_what_was_made(quantized_net):
    result = convert(chain(quantized_net(seed=8), zero=3), recipe="exact-asg")
    assert [s.name for s in result.plan.sites] == ["a", "b"]
    site, neuron = result.plan.sites[0], result.plan.neurons[0]
    assert (site.kind, site.levels, site.zero_point, site.scale) == ("quantizer", 256, 3, 2**-6)
    assert (site.lower, site.upper) == (-131 / 64, 124 / 64)
    assert (neuron.neuron, neuron.threshold) == ("staircase", None)
    assert dict(neuron.provenance) == {"table": "rational arithmetic", "emission": "averaged"}
    assert result.plan.config.arithmetic == "rational"


@pytest.mark.parametrize("recipe", ["exact", "exact-asg", "exact-radix"])
@pytest.mark.parametrize("arithmetic", ["rational", "ort"])
def test_a_plan_goes_through_json(quantized_net, recipe, arithmetic):
    model = chain(quantized_net(seed=9))
    made = convert(model, 140 if recipe == "exact-asg" else None, recipe=recipe,
                   arithmetic=arithmetic)  # fmt: skip
    again = convert(model, plan=ConversionPlan.from_json(made.plan.to_json()))
    assert again.model.SerializeToString() == made.model.SerializeToString()
    assert again.diagnostics == made.diagnostics


def test_a_plan_of_another_model(quantized_net):
    plan = convert(chain(quantized_net(seed=10)), recipe="exact-radix").plan
    with pytest.raises(PlanError, match="another model"):
        convert(chain(quantized_net(seed=11)), plan=plan)


def test_what_onnxruntime_computes_in_float_is_told(quantized_net):
    net = quantized_net(seed=12)
    x = net.node("LeakyRelu", net.layer(net.data(), (2, 2, 1, 1), bias=False), alpha=0.5)
    model = net.model(net.quantize(x, 0.25, name="a"))
    (note,) = told(convert(model, recipe="exact-radix", arithmetic="ort"), "NO_INTEGER_KERNEL")
    assert "1 quantizers: 'a' (QuantizeLinear)" in note.what
    assert not told(convert(model, recipe="exact-radix"), "NO_INTEGER_KERNEL")


def test_strict_refuses_islands(quantized_net):
    net = quantized_net(seed=13)
    x = net.quantize(net.layer(net.data(), (2, 2, 1, 1)), 0.25, name="a")
    x = net.quantize(net.node("Sigmoid", x, name="odd"), 0.25, name="island")
    model = net.model(net.quantize(net.layer(x, (2, 2, 1, 1)), 0.25, name="b"))
    with pytest.raises(StrictError, match=r"'odd'.*Sigmoid"):
        convert(model, recipe="exact-radix", strict=True)
    assert len(convert(model, recipe="exact-radix").plan.sites) == 2
    clean = chain(quantized_net(seed=14))
    assert convert(clean, recipe="exact-radix", strict=True).plan.sites


# ---------------------------------------------------------------------------------------------
# What is refused.


def test_a_network_without_quantizers(new_net):
    net = new_net()
    model = net.model(net.relu(net.conv(net.input(), (3, 2, 3, 3))))
    for recipe in ("exact", "exact-asg", "exact-radix"):
        with pytest.raises(UnsupportedModelError, match=r"no quantizer.*--quantize 8") as caught:
            convert(model, recipe=recipe)
        assert len(str(caught.value).splitlines()) == 1


def test_the_first_reason_is_named(quantized_net):
    net = quantized_net(seed=15)
    x = net.conv(net.data(), (2, 2, 3, 3), name="odd")
    model = net.model(net.quantize(x, 0.25, name="a"))
    with pytest.raises(UnsupportedModelError, match=r"first: 'odd', its weights are not quantized"):
        convert(model, recipe="exact-radix")


@pytest.mark.parametrize("scale", [0.0, -0.5])
def test_scales_that_are_none(quantized_net, scale):
    net = quantized_net(seed=16)
    x = net.quantize(net.layer(net.data(), (2, 2, 1, 1)), scale, name="a")
    with pytest.raises(UnsupportedModelError, match="its scale is not positive"):
        convert(net.model(x), recipe="exact-radix")


@pytest.mark.parametrize("option", ["threshold", "v_init", "reset", "avgpool"])
def test_options_of_other_recipes(quantized_net, option):
    value = {"threshold": "mmse", "v_init": "half", "reset": "zero", "avgpool": "linear"}[option]
    with pytest.raises(ConfigError, match=f"takes no {option}"):
        convert(chain(quantized_net(seed=17)), recipe="exact", **{option: value})


def test_an_arithmetic_without_an_exact_recipe(quantized_net):
    with pytest.raises(ConfigError, match=r"takes no arithmetic.*exact recipes"):
        convert(chain(quantized_net(seed=18)), 8, arithmetic="ort")


def test_a_plan_without_steps(quantized_net):
    model = chain(quantized_net(seed=19))
    plan = convert(model, recipe="exact").plan
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, timesteps=0))
    with pytest.raises((PlanError, ConfigError), match="timesteps"):
        convert(model, plan=plan)
