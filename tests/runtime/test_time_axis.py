"""Where time is in a model: tensors, encoders, and who waits."""

import pytest
from onnx import helper

from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.time_axis import (
    attributes_of,
    encoders,
    label,
    numbers_samples,
    spiking_nodes,
    tensors_in_time,
    waiting_node,
)


def test_tensors_in_time(network):
    in_time = {"currents", "conv_out", "fire", "pool", "flat", "logits"}
    assert tensors_in_time(network()) == in_time


def test_spiking_nodes(network):
    found = spiking_nodes(network())
    ops = ["DirectEncode", "IntegrateFire", "SpikeAveragePool", "SpikeDecode"]
    assert [node.op_type for node, _ in found] == ops
    assert [spec.name for _, spec in found] == ops


def test_encoders(network, waiting, staircases):
    assert [node.output[0] for node, _ in encoders(network())] == ["currents"]
    assert [node.output[0] for node, _ in encoders(waiting())] == ["x_currents", "again"]
    assert [spec.name for _, spec in encoders(staircases())] == ["CodeEncode"]


def test_attributes_of():
    """What a node leaves out has its default; text is text."""
    spec = OPS.get("SpikeDecode")
    bare = helper.make_node("SpikeDecode", [], [])
    assert attributes_of(bare, spec) == {"mode": "mean", "cumulative": 0, "delay": 0}
    given = helper.make_node("SpikeDecode", [], [], mode="sum")
    assert attributes_of(given, spec) == {"mode": "sum", "cumulative": 0, "delay": 0}


def test_label():
    node = helper.make_node("IntegrateFire", ["i"], ["spikes", "v"], name="lif7")
    assert label(node) == "lif7 (IntegrateFire)"
    node.name = ""
    assert label(node) == "spikes (IntegrateFire)"


def test_nobody_waits(network, two_inputs, staircases):
    for make in (network, two_inputs, staircases):
        assert waiting_node(make()) is None


def test_behind_a_readout(waiting):
    assert waiting_node(waiting()) == "again.node (DirectEncode)"


@pytest.mark.parametrize(
    ("how", "who"),
    [
        ({"neurons": "averaged"}, "stairs0.node (StaircaseFire)"),
        ({"emission": "radix"}, "currents.node (CodeEncode)"),
    ],
)
def test_by_an_attribute(staircases, how, who):
    assert waiting_node(staircases(**how)) == who


def test_whose_answers_name_samples(network):
    model = network()
    assert not numbers_samples(model)
    model.graph.node.append(helper.make_node("NonZero", ["logits"], ["places"]))
    assert numbers_samples(model)
