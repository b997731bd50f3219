"""lif neurons in a network."""

import numpy as np
import pytest

from onnx2snn.errors import PlanError


def test_without_a_leak_they_are_if_neurons(converted):
    plain = converted("if").trace
    for leak, mode in ((0, "linear"), (1, "factor")):
        leaky = converted("lif", leak=np.array([leak], np.float32), leak_mode=mode).trace
        for name, train in plain.spikes.items():
            np.testing.assert_array_equal(leaky.spikes[name], train)
            np.testing.assert_array_equal(leaky.v_final[name], plain.v_final[name])


def test_a_leak_for_every_channel(converted):
    leak = np.array([2.0, -2.0, 0.0], np.float32)
    network = converted("lif", leak=leak)
    node = network.node()
    assert node.op_type == "LeakyIntegrateFire"
    assert "Leak -2 to 2." in node.doc_string
    plain, leaky = converted("if").trace, network.trace
    counts, less = (trace.spikes["first"].sum(axis=(0, 1)) for trace in (plain, leaky))
    assert less[0] < counts[0]
    assert less[1] > counts[1]
    assert less[2] == counts[2]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_resets(converted, reset):
    node = converted("lif", leak=np.zeros(1, np.float32), reset=reset).node()
    attributes = {a.name: a.s for a in node.attribute}
    assert attributes == {"leak_mode": b"linear", "reset": reset.encode()}


def test_no_leak_is_named(converted):
    with pytest.raises(PlanError, match=r"'first'.*'lif' neurons need a value for leak"):
        converted("lif").result  # noqa: B018


def test_an_unknown_leak_mode(converted):
    network = converted("lif", leak=np.zeros(1, np.float32), leak_mode="quadratic")
    with pytest.raises(PlanError, match=r"leak_mode is 'quadratic'.*known are linear, factor"):
        network.result  # noqa: B018
