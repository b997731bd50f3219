"""Variants of a model that show more: what they add, and that they are valid models."""

import numpy as np
import onnx
import pytest
from onnx import checker, helper

from onnx2snn_runtime import instrument
from onnx2snn_runtime.errors import BackendError


def output_names(model):
    return [o.name for o in model.graph.output]


def test_neuron_nodes(network):
    nodes = instrument.neuron_nodes(network())
    assert [n.op_type for n in nodes] == ["IntegrateFire", "SpikeAveragePool"]


def test_population_name():
    node = helper.make_node("IntegrateFire", ["a"], ["spikes", "v"], name="lif7")
    assert instrument.population_name(node) == "lif7"
    node.name = ""
    assert instrument.population_name(node) == "spikes"


def test_with_outputs(network, bench, images):
    model = instrument.with_outputs(network(), ["fire", "pool_v_final", "answer"])
    assert output_names(model) == ["answer", "fire", "pool_v_final"]  # none twice
    answer, fire, v = bench.load_stock(model).run(None, {"image": images})
    assert (answer.shape, fire.shape, v.shape) == ((5, 3), (20, 2, 4, 4), (5, 2, 2, 2))


@pytest.mark.parametrize("opset", [15, 17, 18, 20])
def test_with_rates(network, bench, images, simulate, opset):
    """In every opset: the axes of ReduceMean, for one, moved from attribute to input in 18."""
    model = network()
    for entries in (model.opset_import, *(f.opset_import for f in model.functions)):
        for entry in entries:
            if entry.domain == "":
                entry.version = opset
    variant = instrument.with_rates(model)
    assert output_names(variant) == ["answer", "fire.node.rate", "pool.node.rate"]
    feeds = {"image": images, "timesteps": np.array(6)}
    _, *rates = bench.load_stock(variant).run(None, feeds)
    for rate, name in zip(rates, ("fire.node", "pool.node"), strict=True):
        known = simulate(images, 6)["spikes"][name].reshape(30, -1).mean(axis=1)
        assert rate.shape == (30,)
        np.testing.assert_allclose(rate, known, rtol=1e-6)


def test_with_rates_counts_negative_spikes_and_other_nodes(staircases, bench):
    model = staircases(T=3)
    nodes = instrument.speaking_nodes(model)
    assert [n.output[0] for n in nodes] == ["currents", "stairs0", "stairs1"]
    variant = instrument.with_rates(model, nodes)
    names = ["answer", "currents.node.rate", "stairs0.node.rate", "stairs1.node.rate"]
    assert output_names(variant) == names
    variant = instrument.with_outputs(variant, ["stairs0"])
    x = np.array([[-3, 2, 0, 1]], np.float32)
    _, currents, rate, _, spikes = bench.load_stock(variant).run(None, {"x": x})
    assert currents.tolist() == [1.5, 0, 0]
    assert spikes.min() == -1
    np.testing.assert_allclose(rate, np.abs(spikes).mean(axis=1), rtol=1e-6)


def test_with_outputs_of_other_types(staircases, bench):
    variant = instrument.with_outputs(staircases(T=3), ["acc0_final", "currents_steps"])
    x = np.ones((2, 4), np.float32)
    _, acc, steps = bench.load_stock(variant).run(None, {"x": x})
    assert (acc.dtype, acc.shape) == (np.int64, (2, 6))
    assert (steps.dtype, steps) == (np.int64, 3)


def test_with_cumulative_readout(network, bench, images, simulate):
    variant = instrument.with_cumulative_readout(network(mode="sum"))
    (answer,) = bench.load_stock(variant).run(None, {"image": images, "timesteps": np.array(6)})
    np.testing.assert_array_equal(answer.reshape(6, 5, 3), simulate(images, 6)["sum"])


def test_stored_shapes_that_no_longer_hold_are_dropped(network):
    model = onnx.shape_inference.infer_shapes(network(batch=2))
    assert model.graph.value_info
    variant = instrument.with_cumulative_readout(model)
    assert not variant.graph.value_info
    # [2, 3] it was; now there is a row for each step.
    assert not variant.graph.output[0].type.tensor_type.HasField("shape")
    assert variant.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_a_path_around_the_spikes_is_not_anytime(network):
    model = network()
    image, answer = model.graph.input[0].name, model.graph.output[0].name
    flat = onnx.helper.make_node("Flatten", [image], ["flat_image"])
    around = onnx.helper.make_node("ReduceMax", ["flat_image"], ["brightest"], keepdims=1)
    model.graph.node.extend([flat, around])
    assert instrument.is_anytime(model)
    extra = onnx.helper.make_empty_tensor_value_info("brightest")
    model.graph.output.append(extra)
    assert not instrument.is_anytime(model)
    model.graph.output.pop()
    model.graph.node.append(onnx.helper.make_node("Add", [answer, "brightest"], ["sum"]))
    model.graph.output[0].name = "sum"
    assert not instrument.is_anytime(model)


def test_is_anytime(network, two_inputs, waiting):
    assert instrument.is_anytime(network())
    assert instrument.is_anytime(two_inputs())
    assert not instrument.is_anytime(waiting())


def test_neurons_that_need_the_window_are_not_anytime(staircases):
    assert instrument.is_anytime(staircases())
    assert not instrument.is_anytime(staircases(neurons="averaged"))


def test_analog_layers_behind_the_readout_do_not_wait(network):
    model = network()
    model.graph.node[-1].output[0] = "decoded"
    model.graph.node.append(helper.make_node("Relu", ["decoded"], ["answer"]))
    assert instrument.is_anytime(model)


def test_cumulative_readout_refuses_what_waits(waiting):
    with pytest.raises(BackendError) as error:
        instrument.with_cumulative_readout(waiting())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "variant",
    [
        instrument.with_rates,
        instrument.with_cumulative_readout,
        lambda model: instrument.with_outputs(model, ["fire", "fire_v_final"]),
    ],
    ids=["rates", "cumulative", "outputs"],
)
def test_variants_are_copies_and_valid(network, variant):
    model = network()
    before = model.SerializeToString(deterministic=True)
    changed = variant(model)
    assert model.SerializeToString(deterministic=True) == before
    assert changed.SerializeToString(deterministic=True) != before
    # The checker wants a shape on every output; ours are any shape.
    inferred = onnx.shape_inference.infer_shapes(changed, strict_mode=True)
    checker.check_model(inferred)
