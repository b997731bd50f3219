"""Batch norm folds into its neighbours and the network's function stays what it was."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.frontend import canonicalise


@dataclass(frozen=True)
class Layer:
    """The geometry of a convolution: one length of an attribute for every spatial axis."""

    rank: int
    groups: int
    ins: int  # of one group
    outs: int
    kernel: int
    stride: int
    dilation: int
    pads: tuple[int, ...]
    bias: bool
    seed: int

    @property
    def channels(self):
        return self.ins * self.groups

    @property
    def filters(self):
        return self.outs * self.groups

    @property
    def attributes(self):
        return {
            "strides": [self.stride] * self.rank,
            "dilations": [self.dilation] * self.rank,
            "pads": list(self.pads),
            "group": self.groups,
        }

    def weights(self, op="Conv"):
        lead = (self.filters, self.ins) if op == "Conv" else (self.channels, self.outs)
        return (*lead, *[self.kernel] * self.rank)

    def image(self, size=7):
        return (self.channels, *range(size, size + self.rank))

    def draw(self, n=2):
        return np.random.default_rng(self.seed).normal(size=(n, *self.image())).astype(np.float32)


@st.composite
def layers(draw, padded=None):
    rank = draw(st.sampled_from([1, 2]))
    low, high = {None: (0, 2), True: (1, 2), False: (0, 0)}[padded]
    return Layer(
        rank=rank,
        groups=draw(st.integers(1, 3)),
        ins=draw(st.integers(1, 2)),  # with outs = 1 and groups > 1: depthwise
        outs=draw(st.integers(1, 3)),
        kernel=draw(st.integers(1, 3)),
        stride=draw(st.integers(1, 2)),
        dilation=draw(st.integers(1, 2)),
        pads=tuple(draw(st.integers(low, high)) for _ in range(2 * rank)),
        bias=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
    )


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@settings(max_examples=60)
@given(layer=layers())
def test_behind_a_convolution_it_scales_the_filters(new_net, same_function, ops_of, op, layer):
    net = new_net(seed=layer.seed)
    x = net.input(shape=("N", *layer.image()))
    y = net.conv(x, layer.weights(op), bias=layer.bias, op=op, **layer.attributes)
    model = net.model(net.norm(y, layer.filters, epsilon=0.1))
    assert ops_of(same_function(model, layer.draw())) == [op]


@settings(max_examples=60)
@given(layer=layers(padded=False))
def test_before_an_unpadded_convolution_it_scales_its_inputs(new_net, same_function, ops_of, layer):
    net = new_net(seed=layer.seed)
    x = net.norm(net.input(shape=("N", *layer.image())), layer.channels)
    model = net.model(net.conv(x, layer.weights(), bias=layer.bias, **layer.attributes))
    assert ops_of(same_function(model, layer.draw())) == ["Conv"]


@settings(max_examples=60)
@given(layer=layers(padded=True))
def test_before_a_padded_convolution_the_border_gets_a_map(new_net, same_function, ops_of, layer):
    net = new_net(seed=layer.seed)
    x = net.norm(net.input(shape=("N", *layer.image())), layer.channels)
    model = net.model(net.conv(x, layer.weights(), bias=layer.bias, **layer.attributes))
    assert ops_of(same_function(model, layer.draw())) == ["Conv", "Add"]


def test_before_a_padded_convolution_of_unknown_size_it_stays_an_affine(
    new_net, same_function, ops_of
):
    net = new_net()
    x = net.norm(net.input(shape=("N", 3, "H", "W")), 3)
    model = net.model(net.conv(x, (4, 3, 3, 3), pads=[1] * 4))
    values = np.random.default_rng(0).normal(size=(2, 3, 5, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Mul", "Add", "Conv"]


@settings(max_examples=60)
@given(
    trans_b=st.booleans(),
    alpha=st.sampled_from([1.0, 0.5, -2.0]),
    beta=st.sampled_from([1.0, 0.0, 3.0]),
    bias=st.sampled_from([None, (5,), (1, 5), (1,), ()]),
    before=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_around_gemm(new_net, same_function, ops_of, trans_b, alpha, beta, bias, before, seed):
    net = new_net(seed=seed)
    x = net.input(shape=("N", 4))
    if before:
        x = net.norm(x, 4)
    inputs = [x, net.random(*((5, 4) if trans_b else (4, 5)))]
    if bias is not None:
        inputs.append(net.const(net.rng.normal(size=bias)))
    x = net.node("Gemm", *inputs, transB=int(trans_b), alpha=alpha, beta=beta)
    model = net.model(x if before else net.norm(x, 5))
    values = net.rng.normal(size=(3, 4)).astype(np.float32)
    canonical = same_function(model, values)
    assert ops_of(canonical) == ["Gemm"]
    assert not canonical.graph.nodes[0].attrs


@pytest.mark.parametrize("swapped", [False, True])
def test_behind_matmul_and_add(new_net, same_function, ops_of, swapped):
    net = new_net()
    y = net.node("MatMul", net.input(shape=("N", 4)), net.random(4, 5))
    bias = net.const(net.rng.normal(size=5))
    y = net.node("Add", *((bias, y) if swapped else (y, bias)))
    model = net.model(net.norm(y, 5))
    values = net.rng.normal(size=(3, 4)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Gemm"]


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 5, 6), (4, 3, 3, 2)])
def test_alone_it_is_a_product_and_a_sum(new_net, same_function, ops_of, shape):
    net = new_net()
    model = net.model(net.relu(net.norm(net.input(shape=("N", *shape)), 4)))
    values = net.rng.normal(size=(3, *shape)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Mul", "Add", "Relu"]


def test_two_readers_keep_the_batch_norm_apart_from_what_follows(new_net, same_function, ops_of):
    net = new_net()
    y = net.norm(net.input(), 2)
    model = net.model(net.conv(y, (3, 2, 1, 1)), net.conv(y, (3, 2, 3, 3)))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Mul", "Add", "Conv", "Conv"]


def test_a_convolution_with_another_reader_stays_as_it_is(new_net, same_function, ops_of):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 3, 3), bias=True)
    model = net.model(net.node("Add", y, net.relu(net.norm(y, 3))))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Conv", "Mul", "Add", "Relu", "Add"]


def test_a_convolution_that_is_an_output_stays_as_it_is(new_net, same_function, ops_of):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 3, 3))
    model = net.model(y, net.norm(y, 3))
    values = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["Conv", "Mul", "Add"]


@pytest.mark.parametrize("pads", [[0] * 4, [1, 0, 2, 1]])
def test_batch_norms_on_both_sides_and_in_a_row(new_net, same_function, ops_of, pads):
    net = new_net()
    y = net.norm(net.norm(net.input(shape=("N", 2, 6, 5)), 2), 2)
    y = net.conv(y, (4, 1, 3, 3), bias=True, pads=pads, group=2)
    model = net.model(net.norm(net.norm(y, 4), 4))
    values = net.rng.normal(size=(2, 2, 6, 5)).astype(np.float32)
    ops = ops_of(same_function(model, values))
    assert "BatchNormalization" not in ops
    assert ops.count("Conv") == 1


def test_in_training_mode_it_stays(new_net):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 3, 3))
    parameters = [net.const(np.ones(3)) for _ in range(4)]
    y = net.node("BatchNormalization", y, *parameters, outputs=3, training_mode=1)
    graph = canonicalise(net.model(net.relu(y))).graph
    assert [n.op for n in graph.nodes] == ["Conv", "BatchNormalization", "Relu"]


def parameters_of(model):
    """γ and β of the model's only batch norm."""
    (norm,) = [n for n in model.graph.node if n.op_type == "BatchNormalization"]
    constants = {t.name: np.frombuffer(t.raw_data, np.float32) for t in model.graph.initializer}
    return constants[norm.input[1]], constants[norm.input[2]]


@pytest.mark.parametrize("conv", [True, False])
def test_it_tells_the_moments_of_what_it_makes(new_net, conv):
    net = new_net()
    y = net.input(shape=("N", 3, 6, 6))
    y = net.conv(y, (3, 3, 3, 3)) if conv else y
    model = net.model(net.relu(net.norm(y, 3)))
    canonical = canonicalise(model)
    (relu,) = [n for n in canonical.graph.nodes if n.op == "Relu"]
    moments = canonical.moments[relu.inputs[0].name]
    gamma, beta = parameters_of(model)
    assert (gamma < 0).any()
    np.testing.assert_array_equal(moments.mean, beta)
    np.testing.assert_array_equal(moments.std, np.abs(gamma))


@pytest.mark.parametrize("pads", [[0] * 4, [1] * 4])
def test_folded_forward_it_tells_nothing_of_the_layer_behind(new_net, pads):
    net = new_net()
    y = net.norm(net.relu(net.input(shape=("N", 3, 6, 6))), 3)
    model = net.model(net.relu(net.conv(y, (5, 3, 3, 3), pads=pads)))
    canonical = canonicalise(model)
    last = [n for n in canonical.graph.nodes if n.op == "Relu"][-1]
    assert last.inputs[0].name not in canonical.moments
