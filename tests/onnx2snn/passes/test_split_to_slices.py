"""A Split becomes slices."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise

X = np.random.default_rng(0).normal(size=(3, 4, 6, 7)).astype(np.float32)


@pytest.mark.parametrize("opset", [12, 13, 18, 21])
@pytest.mark.parametrize(("axis", "lengths"), [(1, [1, 3]), (-1, [2, 0, 5]), (2, [6])])
def test_given_lengths(new_net, same_function, ops_of, opset, axis, lengths):
    net = new_net(opset=opset)
    x = net.input(shape=("N", 4, 6, 7))
    given = [x] if opset < 13 else [x, net.ints(*lengths)]
    attributes = {"split": lengths} if opset < 13 else {}
    net.node("Split", *given, name="s", axis=axis, outputs=len(lengths), **attributes)
    outputs = ["s_out", "s_out1", "s_out2"][: len(lengths)]
    ops = ops_of(same_function(net.model(*outputs), X, 0))
    assert ops == ["Slice"] * len(lengths)


@pytest.mark.parametrize(("axis", "count"), [(1, 2), (1, 4), (-1, 3)])
def test_equal_lengths_the_last_one_shorter(new_net, same_function, ops_of, axis, count):
    net = new_net()
    x = net.input(shape=("N", 4, 6, 7))
    net.node("Split", x, name="s", axis=axis, outputs=count, num_outputs=count)
    # One output is read by nobody.
    model = net.model("s_out", f"s_out{count - 1}")
    assert ops_of(same_function(model, X, 0)) == ["Slice", "Slice"]


def test_of_unknown_length_it_stays(new_net, ops_of):
    net = new_net()
    net.node("Split", net.input(shape=("N", 2, "W")), name="s", axis=2, outputs=2, num_outputs=2)
    assert ops_of(canonicalise(net.model("s_out", "s_out1", check=False))) == ["Split"]
