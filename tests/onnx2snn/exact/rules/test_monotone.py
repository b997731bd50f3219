"""Activations in front of a quantizer end up in its table."""

import numpy as np
import pytest

ACTIVATIONS = {
    "relu": lambda n, x: n.relu(x),
    "clip": lambda n, x: n.node("Clip", x, n.const(-0.3), n.const(0.9)),
    "clip below": lambda n, x: n.node("Clip", x, n.const(0.4)),
    "clip above": lambda n, x: n.node("Clip", x, "", n.const(-0.2)),
    "clip upside down": lambda n, x: n.node("Clip", x, n.const(1.0), n.const(-1.0)),
    "leaky": lambda n, x: n.node("LeakyRelu", x, alpha=0.1),
    "leaky of slope zero": lambda n, x: n.node("LeakyRelu", x, alpha=0.0),
    "prelu": lambda n, x: n.node("PRelu", x, n.const(np.reshape([0.25, 0.0, 1.5], (3, 1, 1)))),
    "hard sigmoid": lambda n, x: n.node("HardSigmoid", x),
    "hard sigmoid, flat": lambda n, x: n.node("HardSigmoid", x, alpha=0.0),
    "max and min": lambda n, x: n.node(
        "Min", n.const(2.0), n.node("Max", x, n.const(np.reshape([-1.0, 0.3, 0.0], (3, 1, 1))))
    ),
    "min and max": lambda n, x: n.node(
        "Max", n.node("Min", x, n.const(np.reshape([0.5, 1.0, -0.2], (1, 3, 1, 1)))), n.const(0.0)
    ),
    "in a row": lambda n, x: n.node(
        "Clip", n.node("LeakyRelu", n.node("Clip", x, n.const(-3.0)), alpha=0.5), "", n.const(2.0)
    ),
}


@pytest.mark.parametrize("case", ACTIVATIONS)
def test_in_front_of_a_quantizer(quantized_net, exactly, case):
    net = quantized_net(seed=1)
    x = net.layer(net.data(), (3, 2, 3, 3), [0.03, 0.125, 0.07], pads=[1] * 4)
    x = net.quantize(ACTIVATIONS[case](net, x), 0.05, -3, name="a")
    net.quantize(net.layer(x, (2, 3, 2, 2)), 0.25, name="b")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    check.check("exact")
    check.check("exact-radix")


@pytest.mark.parametrize("case", ["relu", "leaky", "prelu"])
def test_between_two_quantizers(quantized_net, exactly, case):
    net = quantized_net(seed=2)
    x = net.quantize(net.layer(net.data(), (3, 2, 3, 3)), 0.3, 5, name="a")
    x = net.quantize(ACTIVATIONS[case](net, x), 0.17, -20, name="b")
    net.quantize(net.layer(x, (2, 3, 2, 2)), 0.25, name="c")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    check.check("exact-asg")
    check.check("exact-radix")


def test_one_that_falls_stays_analog(quantized_net, exactly):
    net = quantized_net(seed=3)
    x = net.quantize(net.layer(net.data(), (3, 2, 3, 3)), 0.3, name="a")
    x = net.node("PRelu", x, net.const(np.reshape([0.25, -0.5, 0.5], (3, 1, 1))), name="falls")
    x = net.layer(net.quantize(x, 0.25, name="b"), (2, 3, 1, 1))
    net.quantize(x, 0.5, name="c")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    result = check.check("exact-radix", {"a", "c"})
    (island,) = [d for d in result.diagnostics if d.code == "ANALOG_ISLAND"]
    assert (island.node, "it falls" in island.why) == ("'falls' (PRelu)", True)
