"""LeakyRelu and PRelu become two rectifiers."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise

SLOPES = {
    "one": np.float32(0.2),
    "negative": np.float32(-0.5),
    "row": np.linspace(-1, 1, 6, dtype=np.float32),
    "channels": np.array([0.1, 2.0], np.float32).reshape(2, 1, 1),
    "with a batch axis": np.array([0.1, 2.0], np.float32).reshape(1, 2, 1, 1),
}


def images(net):
    return net.rng.normal(size=(3, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("alpha", [None, 0.0, 0.3, -0.5])
def test_leaky(new_net, same_function, ops_of, alpha):
    net = new_net()
    given = {} if alpha is None else {"alpha": alpha}
    y = net.node("LeakyRelu", net.conv(net.input(), (2, 2, 1, 1)), **given)
    ops = ops_of(same_function(net.model(y), images(net), 1e-6))
    assert sorted(ops) == ["Add", "Conv", "Mul", "Mul", "Relu", "Relu"]


@pytest.mark.parametrize("case", SLOPES)
def test_slopes(new_net, same_function, ops_of, case):
    net = new_net()
    y = net.node("PRelu", net.input(), net.const(SLOPES[case]))
    assert "PRelu" not in ops_of(same_function(net.model(y), images(net), 1e-6))


@pytest.mark.parametrize("case", ["computed", "for each sample"])
def test_others_stay(new_net, same_function, ops_of, case):
    net = new_net()
    x = net.input()
    slope = net.node("Abs", x) if case == "computed" else net.random(3, 2, 6, 6)
    assert "PRelu" in ops_of(same_function(net.model(net.node("PRelu", x, slope)), images(net)))


def test_an_output_keeps_its_name_and_every_reader_its_value(new_net, same_function):
    net = new_net()
    y = net.node("LeakyRelu", net.input(), alpha=0.3, name="leaky")
    same_function(net.model(y, net.relu(y), net.conv(y, (2, 2, 3, 3))), images(net), 1e-6)


def test_exact_networks_keep_it(new_net, ops_of):
    net = new_net()
    model = net.model(net.node("LeakyRelu", net.input()))
    assert ops_of(canonicalise(model, keep_integers=True)) == ["LeakyRelu"]
