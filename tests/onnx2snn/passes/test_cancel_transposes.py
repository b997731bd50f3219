"""Networks that exporters wrote around channels-last tensors become channels-first inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend import canonicalise
from onnx2snn.passes.cancel_transposes import cancel_transposes

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]


class Keras:
    """Writes layers as tf2onnx does: a Transpose in front of and behind each that has channels."""

    def __init__(self, net):
        self.net = net

    def around(self, x, layer):
        y = layer(self.net.node("Transpose", x, perm=FIRST))
        return self.net.node("Transpose", y, perm=LAST)

    def conv(self, x, shape, **attributes):
        return self.around(x, lambda t: self.net.conv(t, shape, bias=True, **attributes))

    def max_pool(self, x):
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
        return self.around(x, lambda t: self.net.node("MaxPool", t, **pool))

    def quantized(self, x, scale=0.05, zero=3):
        parameters = [self.net.const(scale), self.net.const(np.uint8(zero), dtype=None)]
        q = self.net.node("QuantizeLinear", x, *parameters)
        return self.net.node("DequantizeLinear", q, *parameters)


@pytest.fixture
def build(new_net):
    def make():
        net = new_net()
        return net, Keras(net)

    return make


def images(net, *shape):
    return net.rng.normal(size=shape or (2, 8, 8, 3)).astype(np.float32)


def test_a_residual_network(build, same_function, ops_of):
    """One Transpose is left, at the input."""
    net, keras = build()
    x = keras.conv(net.input(shape=("N", 8, 8, 3)), (4, 3, 3, 3), pads=[1] * 4)
    x = net.relu(net.node("Add", x, net.const([0.1, 0.2, 0.3, 0.4])))
    y = net.node("Pad", x, net.ints(0, 1, 2, 0, 0, 1, 0, 0))
    y = keras.conv(y, (4, 4, 3, 3))
    x = net.node("Clip", net.node("Add", x, y), net.const(0.0), net.const(6.0))
    x = keras.max_pool(net.node("Concat", x, y, axis=-1))
    x = net.node("ReduceMean", x, net.ints(1, 2), keepdims=0)
    canonical = same_function(net.model(net.gemm(x, (8, 5))), images(net))
    ops = ops_of(canonical)
    assert ops.count("Transpose") == 1
    assert ops[0] == "Transpose"
    assert ops[-2:] == ["Flatten", "Gemm"]


def test_quantizers_do_not_hold_it_up(build, same_function, ops_of):
    net, keras = build()
    x = keras.quantized(net.input(shape=("N", 8, 8, 3)))
    x = keras.quantized(net.relu(keras.conv(x, (4, 3, 3, 3))))
    x = keras.quantized(net.relu(keras.conv(x, (4, 4, 3, 3))))
    ops = ops_of(same_function(net.model(keras.conv(x, (2, 4, 1, 1))), images(net), tolerance=0))
    pair = ["QuantizeLinear", "DequantizeLinear"]
    unit = ["Conv", "Relu", *pair]
    assert ops == [*pair, "Transpose", *unit, *unit, "Conv", "Transpose"]


def test_an_output_that_is_its_own_inverse_keeps_its_name(build, same_function, ops_of):
    net, _ = build()
    x = net.node("Transpose", net.relu(net.input(shape=("N", 2, 3, 4))), perm=FIRST)
    model = net.model(net.node("Transpose", x, perm=LAST))
    same_function(model, images(net, 2, 2, 3, 4), tolerance=0)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axes", [(1,), (1, 2), (-1,), (3, 1)])
@pytest.mark.parametrize("op", ["ReduceMean", "ReduceSum", "ReduceMax"])
def test_reductions(build, same_function, keep, axes, op):
    net, _ = build()
    x = net.node("Transpose", net.input(shape=("N", 3, 4, 5)), perm=LAST)
    model = net.model(net.node(op, x, net.ints(*axes), keepdims=keep))
    same_function(model, images(net, 2, 3, 4, 5))


PERMS = st.permutations([1, 2, 3]).map(lambda p: [0, *p])


@settings(max_examples=60)
@given(first=PERMS, second=PERMS, data=st.data())
def test_any_order(new_net, run_stock, first, second, data):
    """Whatever stands between two Transposes, values stay the same."""
    net = new_net()
    x = net.node("Transpose", net.relu(net.input(shape=("N", 3, 4, 5))), perm=first)
    sizes = [(2, 3, 4, 5)[p] for p in first]
    for kind in data.draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=3)):
        x = KINDS[kind](net, x, sizes)
    model = net.model(net.relu(net.node("Transpose", x, perm=second)))
    feed = net.rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    canonical = canonicalise(model)
    np.testing.assert_array_equal(
        run_stock(canonical.to_model(), feed)[0], run_stock(model, feed)[0]
    )


KINDS = {
    "relu": lambda net, x, sizes: net.relu(x),
    "add one": lambda net, x, sizes: net.node("Add", net.const(1.0), x),
    "add a map": lambda net, x, sizes: net.node(
        "Add", x, net.const(net.rng.integers(0, 9, sizes[2:]))
    ),
    "add itself": lambda net, x, sizes: net.node("Add", x, net.relu(x)),
    "subtract a vector": lambda net, x, sizes: net.node(
        "Sub", net.const(net.rng.integers(0, 9, sizes[3:])), x
    ),
    "clip": lambda net, x, sizes: net.node("Clip", x, net.const(-1.0), net.const(0.5)),
    "slope": lambda net, x, sizes: net.node("PRelu", x, net.const(np.full(sizes[3:], 0.5))),
}


def test_a_transpose_keeps_its_name_on_the_way(build, same_function):
    net, _ = build()
    x = net.node("Transpose", net.input(shape=("N", 8, 8, 3)), perm=FIRST, name="mine")
    canonical = same_function(net.model(net.relu(net.relu(x))), images(net))
    assert [(n.name, n.op) for n in canonical.graph.nodes][-1] == ("mine", "Transpose")


def test_the_batch_is_not_moved(build, same_function, ops_of):
    net, _ = build()
    x = net.node("Transpose", net.input(shape=("N", 8, 8, 3)), perm=[1, 0, 2, 3])
    assert ops_of(same_function(net.model(net.relu(x)), images(net))) == ["Transpose", "Relu"]


def test_what_has_axes_of_its_own_stops_it(build, same_function, ops_of):
    net, _ = build()
    x = net.node("Transpose", net.input(shape=("N", 8, 8, 3)), perm=FIRST)
    x = net.node("Softmax", x, axis=1)
    ops = ops_of(same_function(net.model(x), images(net)))
    assert ops == ["Transpose", "Softmax"]


def test_a_second_time_changes_nothing(build, ops_of):
    net, keras = build()
    x = net.relu(keras.conv(net.input(shape=("N", 8, 8, 3)), (4, 3, 3, 3)))
    canonical = canonicalise(net.model(keras.conv(x, (4, 4, 3, 3))))
    before = ops_of(canonical)
    cancel_transposes(canonical)
    assert isinstance(canonical, CanonicalGraph)
    assert ops_of(canonical) == before == ["Transpose", "Conv", "Relu", "Conv", "Transpose"]
