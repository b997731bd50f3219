"""Corrected weights and biases stand in the network where they belong."""

import numpy as np
import onnx_graphsurgeon as gs
import pytest

from onnx2snn.canonical import export
from onnx2snn.emit.corrections import apply_corrections, insert_biases
from onnx2snn.errors import PlanError
from onnx2snn.frontend import canonicalise
from onnx2snn.plan import ActivationSite, LayerCorrection, NeuronPlan

ONES = np.ones(1, np.float32)
BIAS = np.array([0.5, -1.0, 2.0], np.float32).reshape(3, 1, 1)


def site(name="end", channels=3, rank=4):
    return ActivationSite(name, "relu", "x", "y", (name,), channels, rank)


def neuron(bias):
    return NeuronPlan("end", "if", ONES, ONES, ONES, bias=bias)


def biased(model, bias, place=None):
    """The network with a bias in front of "end", and its nodes' kinds."""
    graph = canonicalise(model).graph
    insert_biases(graph, [place or site()], [neuron(bias)])
    return export(graph)


def ops(model):
    return sorted(n.op_type for n in model.graph.node)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(0, 1, (4, 2, 6, 6)).astype(np.float32)


def block(net, *, shortcut=False, conv_bias=True, again=False):
    first = net.node("Relu", net.conv(net.input(), (3, 2, 1, 1), bias=True))
    y = net.conv(first, (3, 3, 3, 3), bias=conv_bias, pads=[1] * 4, name="layer")
    if shortcut:
        y = net.node("Add", y, first)
    out = net.relu(y, name="end")
    return net.model(out, *([y] if again else []))


@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("conv_bias", [False, True])
@pytest.mark.parametrize("bias", [BIAS, BIAS[:1, 0, 0]], ids=["channels", "layer"])
def test_into_the_layer(shortcut, conv_bias, bias, new_net, run_stock, x):
    model = block(new_net(), shortcut=shortcut, conv_bias=conv_bias)
    plain = new_net()
    same = block(plain, shortcut=shortcut, conv_bias=conv_bias)
    pre = canonicalise(same).graph
    end = next(n for n in pre.nodes if n.name == "end")
    end.inputs[0].dtype = np.float32
    pre.outputs = [end.inputs[0]]
    before = run_stock(export(pre), {"x": x})[0]
    changed = biased(model, bias)
    assert ops(changed) == ops(export(canonicalise(model).graph))
    np.testing.assert_allclose(
        run_stock(changed, {"x": x})[0], np.maximum(before + bias, 0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("why", ["map", "readers"])
def test_as_a_sum(why, new_net, run_stock, x):
    """A bias for every place, or a layer that others read as well."""
    bias = np.broadcast_to(BIAS, (3, 6, 6)).copy() if why == "map" else BIAS
    model = block(new_net(), again=why == "readers")
    changed = biased(model, bias)
    assert ops(changed) == sorted([*ops(export(canonicalise(model).graph)), "Add"])
    others = run_stock(changed, {"x": x})[1:]
    for now, then in zip(others, run_stock(model, {"x": x})[1:], strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-4, atol=1e-5)


def test_behind_a_gemm(new_net, run_stock):
    net = new_net()
    model = net.model(net.relu(net.gemm(net.input(shape=("N", 4)), (4, 3)), name="end"))
    changed = biased(model, BIAS.reshape(3), site(rank=2))
    x = np.random.default_rng(0).normal(0, 1, (5, 4)).astype(np.float32)
    bare = new_net()
    pre = run_stock(bare.model(bare.gemm(bare.input(shape=("N", 4)), (4, 3))), {"x": x})[0]
    np.testing.assert_allclose(
        run_stock(changed, {"x": x})[0], np.maximum(pre + BIAS.reshape(3), 0), rtol=1e-5, atol=1e-6
    )
    assert ops(changed) == ops(model)


@pytest.mark.parametrize("bias", [None, 0 * BIAS])
def test_nothing_to_do(bias, new_net):
    model = block(new_net())
    assert biased(model, bias) == export(canonicalise(model).graph)


class TestLayers:
    def test_replaced(self, new_net, run_stock, x):
        model = block(new_net(), conv_bias=False)
        graph = canonicalise(model).graph
        weight, bias = np.zeros((3, 3, 3, 3), np.float32), np.array([1, -1, 2], np.float32)
        apply_corrections(graph, [LayerCorrection("layer", weight, bias)])
        out = run_stock(export(graph), {"x": x})[0]
        np.testing.assert_array_equal(out[:, :, 0, 0], [[1, 0, 2]] * 4)

    def test_shared_weights_change_for_one_layer_only(self, new_net):
        net = new_net()
        shared = net.random(2, 2, 1, 1)
        y = net.node("Conv", net.input(), shared, name="one")
        graph = canonicalise(net.model(net.node("Conv", y, shared, name="two"))).graph
        apply_corrections(graph, [LayerCorrection("two", np.zeros((2, 2, 1, 1), np.float32))])
        by_name = {n.name: n for n in graph.nodes}
        assert isinstance(by_name["one"].inputs[1], gs.Constant)
        assert by_name["one"].inputs[1].values.any()
        assert not by_name["two"].inputs[1].values.any()

    @pytest.mark.parametrize(
        "correction",
        [
            LayerCorrection("nobody", np.zeros((3, 3, 3, 3), np.float32)),
            LayerCorrection("end", np.zeros((3, 3, 3, 3), np.float32)),
            LayerCorrection("layer", np.zeros((3, 3, 3, 1), np.float32)),
            LayerCorrection("layer", np.zeros((3, 3, 3, 3), np.float32), np.zeros(2, np.float32)),
        ],
        ids=["no node", "no layer", "weight", "bias"],
    )
    def test_refused(self, correction, new_net):
        graph = canonicalise(block(new_net())).graph
        with pytest.raises(PlanError) as error:
            apply_corrections(graph, [correction])
        assert correction.layer in str(error.value)
        assert error.value.remedy
