"""Windows that follow each other: what is carried, and what stands in the way."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnx2snn_runtime import carry


def names(values):
    return [v.name for v in values]


def test_states(network):
    found = carry.states(network())
    assert [(s.after, s.counts_steps) for s in found] == [
        ("fire_v_final", False),
        ("pool_v_final", False),
        ("answer_acc", False),
        ("answer_steps", True),
    ]
    assert len({s.before for s in found}) == 4


def test_no_obstacle(network, two_inputs, staircases):
    for model in (network(), network(fixed=True), two_inputs(), staircases()):
        assert carry.obstacle(model) is None


def test_obstacle_of_a_waiting_part(waiting, staircases):
    assert "again.node (DirectEncode)" in carry.obstacle(waiting())
    assert "stairs0.node" in carry.obstacle(staircases(neurons="radix"))


def test_obstacle_of_an_output_in_time(network):
    model = network()
    model.graph.output.append(helper.make_empty_tensor_value_info("logits"))
    assert "'logits'" in carry.obstacle(model)


@pytest.mark.parametrize("how", ["node", "input"])
def test_obstacle_of_a_state_that_is_no_constant(network, how):
    model = network()
    if how == "input":
        model.graph.input.append(helper.make_tensor_value_info("fire_v", 1, [1]))
    else:
        kept = [t for t in model.graph.initializer if t.name != "fire_v"]
        value = numpy_helper.from_array(np.ones(1, np.float32))
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
        model.graph.node.insert(0, helper.make_node("Constant", [], ["fire_v"], value=value))
    assert "fire.node" in carry.obstacle(model)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_variant(network, fixed):
    model = network(fixed=fixed)
    before = model.SerializeToString(deterministic=True)
    variant = carry.with_carried_states(model)
    assert model.SerializeToString(deterministic=True) == before
    states = carry.states(model)
    assert set(names(variant.graph.input)) == {"image", "timesteps", *(s.before for s in states)}
    assert names(variant.graph.output) == ["answer", *(s.after for s in states)]
    onnx.shape_inference.infer_shapes(variant, strict_mode=True)


def test_states_are_optional(network, bench, images, simulate):
    """Not fed, they are the file's."""
    variant = carry.with_carried_states(network())
    feeds = {"image": images, "timesteps": np.array(3)}
    answer, *_ = bench.load_stock(variant).run(None, feeds)
    np.testing.assert_array_equal(answer, simulate(images, 3)["mean"][-1])


def test_nodes_share_a_constant_but_no_state(two_inputs, bench):
    """Both states begin with the one constant 'v'."""
    model = two_inputs()
    second = onnx.NodeProto()
    second.CopyFrom(model.graph.node[3])
    second.name = "second"
    second.output[:] = ["second", "second_v"]
    model.graph.node.insert(4, second)
    variant = carry.with_carried_states(model)
    x = np.array([[1, 2, 3]], np.float32)
    feeds = {"left": x, "right": x, "timesteps": np.array(1)}
    state = next(s for s in carry.states(model) if s.after == "second_v")
    session = bench.load_stock(variant)
    fetch = ["v_final", "second_v"]
    v, second_v = session.run(fetch, {**feeds, state.before: np.ones((1, 3), np.float32)})
    assert v.tolist() == [[2, 0, 0]]
    assert second_v.tolist() == [[3, 0, 0]]


def test_an_output_that_is_a_state_already(network):
    model = network()
    model.graph.output.append(helper.make_empty_tensor_value_info("fire_v_final"))
    found = names(carry.with_carried_states(model).graph.output)
    assert sorted(found) == sorted(set(found))


def test_free_time(network, bench, images, simulate):
    """T can be fed though the file is made for one; it stays the default."""
    variant = carry.with_free_time(network(T=5, fixed=True))
    session = bench.load_stock(variant)
    for feeds, T in (({}, 5), ({"timesteps": np.array(3)}, 3)):
        (answer,) = session.run(None, {"image": images, **feeds})
        np.testing.assert_array_equal(answer, simulate(images, T)["mean"][-1])
    free = network()
    assert names(carry.with_free_time(free).graph.input) == names(free.graph.input)


@pytest.mark.parametrize(
    ("T", "window", "lengths"),
    [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 9, [2]), (1, 1, [1]), (3, 1, [1, 1, 1])],
)
def test_window_lengths(T, window, lengths):
    assert list(carry.window_lengths(T, window)) == lengths


def test_shapes_are_kept_but_for_those_of_states(network):
    """A state that is fed may be the same for all samples."""
    model = network()
    for name in ("conv_out", "fire_v_final", "fire"):
        model.graph.value_info.append(
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 2, 4, 4])
        )
    assert names(carry.with_carried_states(model).graph.value_info) == ["conv_out", "fire"]
