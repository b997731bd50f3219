"""The network with clipped activations, against the same in NumPy."""

import numpy as np
import pytest

from onnx2snn.calibration import open_dataset
from onnx2snn.calibration.clipped import ClippedNetwork
from onnx2snn.frontend import canonicalise
from onnx2snn.sites import find_sites
from onnx2snn_runtime.session import tensor_info


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(0, 1, (40, 5)).astype(np.float32)


@pytest.fixture
def made(new_net):
    """Makes two layers with a ReLU and a signed Clip between, for data; tells their weights too."""

    def make(x, offset=0.0):
        net = new_net()
        a = net.gemm(net.input(shape=("N", 5)), (5, 6), bias=False, name="one")
        a = net.relu(a, name="a")
        bounds = net.const(-0.5), net.const(9.0)
        b = net.node("Clip", net.gemm(a, (6, 4), bias=False), *bounds, name="b")
        last = net.gemm(b, (4, 3), bias=False)
        model = net.model(net.node("Add", last, net.const(offset)))
        canonical = canonicalise(model)
        sites = find_sites(canonical, avgpool="linear", keep_analog=frozenset(), diagnostics=[])
        written = canonical.to_model()
        dataset = open_dataset(x, tuple(tensor_info(i) for i in written.graph.input), None)
        weights = [n.inputs[1].values for n in canonical.graph.nodes if n.op == "Gemm"]
        return ClippedNetwork(written, sites, dataset), weights

    return make


@pytest.fixture
def network(made, x):
    return made(x)


def by_hand(x, weights, limit_a, limit_b):
    first, second, last = (w.astype(np.float64) for w in weights)
    a = np.minimum(np.maximum(x @ first, 0), limit_a)
    b = np.minimum(np.clip(a @ second, -0.5, 9) + 0.5, limit_b)
    return (b - 0.5) @ last, a / limit_a, b / limit_b


@pytest.mark.parametrize(
    ("a", "b"), [([0.7], [0.4]), ([0.1, 0.2, 0.3, 0.5, 0.7, 1.1], [0.2, 0.4, 0.6, 0.8])]
)
def test_against_numpy(network, x, a, b):
    clipped, weights = network
    found = clipped.run({"a": np.array(a), "b": np.array(b)})
    wanted, *_ = by_hand(x, weights, np.inf, np.inf)
    got, rates_a, rates_b = by_hand(x, weights, np.array(a), np.array(b))
    average = wanted.mean(axis=0)
    wanted, got = wanted - average, got - average
    sizes = np.linalg.norm(wanted, axis=1) * np.linalg.norm(got, axis=1)
    cosines = np.where(sizes > 0, (wanted * got).sum(axis=1) / np.where(sizes > 0, sizes, 1), 1)
    assert found.cosine == pytest.approx(cosines.mean(), abs=1e-5)
    losses = [
        np.where((r**2).sum(1) > 0, r.sum(1) / np.maximum((r**2).sum(1), 1e-30), 1)
        for r in (rates_a, rates_b)
    ]
    assert found.rate_inference_loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_nothing_clipped(network):
    clipped, _ = network
    found = clipped.run({"a": np.array([1e6]), "b": np.array([1e6])})
    assert found.cosine == pytest.approx(1, abs=1e-6)
    assert found.rate_inference_loss > 1000  # rates of a millionth are slow


def test_silent_layers(network):
    """A maximum of zero clips nothing and says nothing of rates."""
    clipped, _ = network
    found = clipped.run({"a": np.zeros(1), "b": np.zeros(1)})
    assert found.cosine == pytest.approx(1, abs=1e-6)
    assert found.rate_inference_loss == 1


def test_what_all_answers_share_says_nothing(made, x):
    """A large bias of the outputs would bring every cosine near one."""
    limits = {"a": np.array([0.3]), "b": np.array([0.2])}
    plain, far = (made(x, offset)[0].run(limits).cosine for offset in (0.0, 100.0))
    assert plain < 0.9
    assert far == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("count", [1, 3])
def test_equal_answers_are_compared_as_they_are(made, x, count):
    network, weights = made(np.repeat(x[:1], count, axis=0))
    limit = np.array([0.4])
    (wanted,), (got,) = (by_hand(x[:1], weights, top, top)[0] for top in (np.inf, limit))
    cosine = wanted @ got / np.linalg.norm(wanted) / np.linalg.norm(got)
    assert network.run({"a": limit, "b": limit}).cosine == pytest.approx(cosine, abs=1e-5)
