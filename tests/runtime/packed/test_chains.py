"""What lies between a layer and its neurons."""

import numpy as np
import pytest

from onnx2snn_runtime.packed.chains import amplitude_of, channels_of, find_chain, find_neurons
from onnx2snn_runtime.packed.graph import Graph
from onnx2snn_runtime.packed.layers import integer_layer
from onnx2snn_runtime.time_axis import tensors_in_time

FIRE = "z, z_v = org.onnx2snn.IntegrateFire ({}, theta3, v, timesteps)"


@pytest.fixture
def find(make_model):
    def find(body, outputs=("z",), **constants):
        model = make_model(body, outputs, **constants)
        graph = Graph(model)
        layer = integer_layer(graph, graph.maker["c"], floats=False)
        return find_chain(graph, layer, tensors_in_time(model))

    return find


def test_a_layer_and_its_neurons(find):
    chain = find("c = Conv (s, w, bias) " + FIRE.format("c"))
    assert chain.joins == ()
    assert (chain.neurons.kind, chain.neurons.zero_point) == ("subtract", 0)
    np.testing.assert_array_equal(chain.neurons.constants["theta"], [40, 40, 40])
    assert chain.neurons.states == ("v",)
    assert chain.neurons.timesteps == "timesteps"


def test_currents_that_join(find):
    body = "c = Conv (s, w) o = Conv (s, w) p = Relu (o) a = Add (o, c) b = Add (a, p)"
    chain = find(body + FIRE.format("b"))
    assert chain.others == ("o", "p")
    assert [n.output[0] for n in chain.joins] == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        "c = Conv (s, w) r = Relu (c) " + FIRE.format("r"),
        "c = Conv (s, w) d = Add (c, c) " + FIRE.format("d"),
        "c = Conv (s, w) d = Add (c, theta3) " + FIRE.format("d"),  # the same at every step
        "c = Conv (s, w) " + FIRE.format("c") + "u = Relu (c)",
        "c = Conv (s, w) z, z_v = org.onnx2snn.AveragedIntegrateFire (c, theta3, v, timesteps)",
        "c = Conv (s, w) z, z_v = org.onnx2snn.IntegrateFire (s, theta, c, timesteps)",
    ],
)
def test_no_chain(find, body):
    assert find(body) is None


def test_no_chain_where_the_currents_are_an_output(find):
    assert find("c = Conv (s, w) " + FIRE.format("c"), ["z", "c"]) is None


def test_no_chain_where_thresholds_differ_within_a_channel(find):
    body = "c = Conv (s, w) " + FIRE.format("c")
    assert find(body, theta3=np.ones((3, 2, 2), np.float32)) is None


def test_signed_neurons(make_model):
    body = """z, z_v, z_s = org.onnx2snn.SignedIntegrateFire
              (e, theta, low, high, v, none, timesteps)"""
    low, high = np.full(1, -1, np.float32), np.full((2, 1, 1), 3, np.float32)
    model = make_model(body, ["z"], low=low, high=high, none=np.zeros(1, np.float32))
    graph = Graph(model)
    neurons = find_neurons(graph, graph.maker["z"], 4, 2)
    assert (neurons.kind, neurons.zero_point, neurons.states) == ("signed", 1, ("v", "none"))
    assert list(neurons.constants) == ["theta", "s_min", "s_max"]
    np.testing.assert_array_equal(neurons.constants["s_max"], [3, 3])


def test_amplitudes(make_model):
    model = make_model("m = Mul (theta, s) n = Mul (s, s)", ["m", "n"])
    graph = Graph(model)
    spikes, amplitude = amplitude_of(graph, "m", 4, 2)
    assert spikes == "s"
    np.testing.assert_array_equal(amplitude, [3, 3])
    assert amplitude_of(graph, "n", 4, 2) is None
    assert amplitude_of(graph, "s", 4, 2) is None


def test_channels_by_weights(make_model):
    model = make_model(
        "a = Conv (x, w) b = Conv (x, f) c = Gemm (x, m) d = Relu (x)",
        ["a", "b", "c", "d"],
        f=np.ones((5, 2, 1), np.float32),
        m=np.ones((4, 7), np.float32),
    )
    graph = Graph(model)
    assert [channels_of(graph, n) for n in "abcd"] == [(4, 3), (3, 5), (2, 7), None]
