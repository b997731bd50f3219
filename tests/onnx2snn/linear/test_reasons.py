"""What may not act on rows of a time-major tensor says why."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise
from onnx2snn.linear import LINEAR


def reason_of(net, y, op, check=True):
    model = net.model(y, check=check)
    graph = canonicalise(model, keep_integers=True).graph
    (node,) = [n for n in graph.nodes if n.op == op]
    return LINEAR.get(op).reason(node)


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("place", ["weights", "bias"])
def test_computed_parameters_of_a_convolution(new_net, op, place):
    net = new_net()
    w = net.input("w", (3, 3, 2, 2)) if place == "weights" else net.random(3, 3, 2, 2)
    x = net.input(shape=("N", 3, 5, 5))
    inputs = [x, w] if place == "weights" else [x, w, net.input("b", (3,))]
    reason = reason_of(net, net.node(op, *inputs, kernel_shape=[2, 2]), op)
    assert (
        reason == f"its {place.replace('weights', 'weights are').replace('bias', 'bias is')} "
        "computed from the input"
    )


@pytest.mark.parametrize("op", ["MatMul", "Gemm"])
def test_two_computed_matrices(new_net, op):
    net = new_net()
    y = net.node(op, net.input(shape=("N", 4)), net.input("w", (4, 3)))
    assert reason_of(net, y, op) == "it multiplies two computed tensors"


@pytest.mark.parametrize(("op", "inputs"), [("Mul", 2), ("Div", 2), ("Div", 1)])
def test_products_of_two_computed_tensors(new_net, op, inputs):
    net = new_net()
    x = net.input(shape=("N", 4))
    other = net.input("other", ("N", 4)) if inputs == 2 else net.const(np.ones(4))
    y = net.node(op, other, x)
    assert "computed tensor" in reason_of(net, y, op)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize(("rows", "fine"), [(1, True), (3, False)])
def test_a_constant_with_a_row_for_each_sample(new_net, op, rows, fine):
    net = new_net()
    y = net.node(op, net.input(shape=("N", 4)), net.const(np.ones((rows, 4))))
    reason = reason_of(net, y, op)
    assert reason is None if fine else "one row for each sample" in reason


@pytest.mark.parametrize(
    ("op", "constants", "attributes"),
    [
        ("Reshape", [[2, -1]], {}),
        ("Reshape", [[-1]], {}),
        ("Flatten", [], {"axis": 2}),
        ("Flatten", [], {"axis": 0}),
        ("Transpose", [], {"perm": [1, 0, 2]}),
        ("Transpose", [], {}),
        ("Unsqueeze", [[0]], {}),
        ("Unsqueeze", [[-4]], {}),
        ("Slice", [[0], [1], [0]], {}),
        ("Slice", [[0], [1]], {}),
        ("Slice", [[0], [1], [-3]], {}),
        ("Pad", [[1, 0, 0, 0, 0, 0]], {}),
        ("Pad", [[0, 0, 0, 1, 0, 0]], {}),
    ],
)
def test_the_batch_axis_is_sacred(new_net, op, constants, attributes):
    net = new_net()
    given = [net.ints(*c) for c in constants]
    y = net.node(op, net.input(shape=("N", 4, 6)), *given, **attributes)
    assert "batch axis" in reason_of(net, y, op)


def test_squeeze_of_whatever_is_one(new_net):
    net = new_net()
    y = net.node("Squeeze", net.input(shape=("N", 4, 1)))
    assert "batch axis" in reason_of(net, y, "Squeeze", check=False)


def test_joining_samples_or_constants(new_net):
    net = new_net()
    x = net.input(shape=("N", 4))
    assert "batch axis" in reason_of(net, net.node("Concat", x, x, axis=0), "Concat")
    net = new_net()
    y = net.node("Concat", net.input(shape=(1, 4)), net.const(np.ones((1, 2))), axis=1)
    assert "constant" in reason_of(net, y, "Concat")


@pytest.mark.parametrize("index", [1, 2])
def test_computed_limits_of_a_slice(new_net, index):
    net = new_net()
    limits = [net.ints(0), net.ints(2)]
    limits[index - 1] = net.input("limit", (1,), dtype=7)
    y = net.node("Slice", net.input(shape=("N", 4, 6)), *limits, net.ints(1))
    assert "computed" in reason_of(net, y, "Slice")


def test_computed_steps_of_a_slice(new_net):
    net = new_net()
    steps = net.input("steps", (1,), dtype=7)
    x = net.input(shape=("N", 4, 6))
    y = net.node("Slice", x, net.ints(0), net.ints(2), net.ints(1), steps)
    assert "computed" in reason_of(net, y, "Slice")


def test_computed_pads(new_net):
    net = new_net()
    y = net.node("Pad", net.input(shape=("N", 4, 6)), net.input("pads", (6,), dtype=7))
    assert "computed" in reason_of(net, y, "Pad")


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_operands_of_different_rank(new_net, op):
    net = new_net()
    x = net.input(shape=("N", 4, 6))
    if op == "Mul":
        y = net.node(op, x, net.const(np.ones((1, 2, 4, 6))))
        assert "more axes" in reason_of(net, y, op)
    else:
        y = net.node(op, x, net.input("row", (6,)))
        assert "numbers of axes" in reason_of(net, y, op)


@pytest.mark.parametrize(
    ("left", "shape", "says"),
    [
        (True, (3, 4), "along the batch axis"),
        (True, (2, 5, 3, 4), "one matrix for each sample"),
        (False, (2, 5, 6, 3), "one matrix for each sample"),
    ],
)
def test_matrices_for_each_sample(new_net, left, shape, says):
    net = new_net()
    x = net.input(shape=(2, 5, 4, 6) if len(shape) == 4 else (4, 6))
    w = net.random(*shape)
    y = net.node("MatMul", w, x) if left else net.node("MatMul", x, w)
    assert says in reason_of(net, y, "MatMul")


@pytest.mark.parametrize(
    ("op", "constants", "attributes", "says"),
    [
        ("Gather", [[0]], {"axis": 0}, "batch axis"),
        ("Tile", [[2, 1, 1]], {}, "batch axis"),
        ("Expand", [[2, 1, 4, 6]], {}, "batch axis"),
        ("ReduceSum", [[0, 2]], {}, "batch axis"),
        ("ReduceMean", [[-3]], {}, "batch axis"),
        ("ReduceSum", [[]], {}, "batch axis"),
    ],
)
def test_moves_and_sums_along_the_batch(new_net, op, constants, attributes, says):
    net = new_net()
    given = [net.ints(*c) for c in constants]
    y = net.node(op, net.input(shape=("N", 4, 6)), *given, **attributes)
    assert says in reason_of(net, y, op)


@pytest.mark.parametrize("op", ["Gather", "Tile", "Expand", "ReduceSum"])
def test_computed_places(new_net, op):
    net = new_net()
    shape = (3,) if op in {"Tile", "Expand"} else (1,)
    attributes = {"axis": 1} if op == "Gather" else {}
    y = net.node(op, net.input(shape=("N", 4, 6)), net.input("given", shape, dtype=7), **attributes)
    assert "computed from the input" in reason_of(net, y, op, check=False)


def test_a_resize_of_the_batch_or_of_computed_size(new_net):
    net = new_net()
    x = net.input(shape=("N", 4, 6))
    assert "batch axis" in reason_of(net, net.node("Resize", x, "", net.const([2, 1, 1])), "Resize")
    net = new_net()
    x, given = net.input(shape=("N", 4, 6)), net.input("given", (3,))
    assert "computed" in reason_of(net, net.node("Resize", x, "", given), "Resize")
