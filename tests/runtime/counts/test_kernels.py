"""What the counting form leaves to the kernels."""

import numpy as np
import pytest
from onnx import numpy_helper

from onnx2snn_runtime.counts.kernels import by_channel
from onnx2snn_runtime.counts.rewrite import rewrite


def averaged(net, x, theta, v_init):
    constants = [net.const(theta), net.const(v_init)]
    return net.spiking("AveragedIntegrateFire", [x, *constants])


def shortcut(net, *, amplitude, shape=(2, 4, 4), theta=(4,), v_init=(1,)):
    """Two populations; the second gets the first's spikes through a layer and a shortcut."""
    x = net.spiking("DirectEncode", [net.input("x", *shape)], 1)
    spikes = averaged(net, x, [2], [1])
    weights = net.const(np.ones((2, 2, 1, 1)))
    x = net.onnx("Conv", [spikes, weights])
    x = net.onnx("Add", [x, net.onnx("Mul", [net.const(amplitude), spikes])])
    return net.model(net.readout(averaged(net, x, theta, v_init), "sum"))


def kinds(model):
    nodes = rewrite(model, 4, rates=False, kernels=True).graph.node
    return [node.op_type for node in nodes if node.op_type != "Conv"]


def test_a_shortcut_is_part_of_the_pass(builder):
    model = shortcut(builder(4), amplitude=[[[3]], [[5]]])
    assert kinds(model) == ["CountAveraged", "CountAveraged", "Identity"]
    found = rewrite(model, 4, rates=False, kernels=True).graph
    values = {t.name: numpy_helper.to_array(t) for t in found.initializer}
    node = found.node[2]
    assert [values[node.input[1]].tolist(), len(node.input)] == [[[1, 3], [1, 5]], 4]


def test_stock_writes_no_kernels(builder):
    model = shortcut(builder(4), amplitude=[3])
    plain = rewrite(model, 4, rates=False)
    assert not any(node.domain for node in plain.graph.node)
    assert [o.domain for o in plain.opset_import].count("org.onnx2snn.counts") == 0


@pytest.mark.parametrize("what", ["amplitude", "theta", "v_init"])
def test_constants_of_every_place_are_none_of_a_channel(builder, what):
    given = {"amplitude": [3], what: np.arange(1, 17).reshape(4, 4)}
    expected = ["Mul", "CountAveraged"] if what == "amplitude" else ["Clip", "Floor"]
    assert set(expected) <= set(kinds(shortcut(builder(4), **given)))


def test_a_current_that_is_stretched_is_not_joined(builder):
    net = builder(4)
    x = net.spiking("DirectEncode", [net.input("x", 2, 1, 1)], 1)
    y = net.spiking("DirectEncode", [net.input("y", 2, 4, 4)], 1)
    model = net.model(net.readout(averaged(net, net.onnx("Add", [x, y]), [2], [1]), "sum"))
    assert kinds(model) == ["Mul", "Mul", "Add", "CountAveraged", "Identity"]


def test_constants_by_channel():
    assert by_channel(np.full((1, 1), 7), None).tolist() == [7]
    assert by_channel(np.array([1, 2]), 2).tolist() == [1, 2]
    assert by_channel(np.array([1, 2]), 3) is None
    assert by_channel(np.array([[[1]], [[2]]]), 4).tolist() == [1, 2]
    assert by_channel(np.array([[[1]], [[2]]]), None) is None
    assert by_channel(np.ones((2, 1, 2)), 2) is None
