"""Random small quantized networks: every integer of every population, by every recipe."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from onnx2snn import convert

KINDS = {
    TensorProto.INT8: (-128, 127), TensorProto.UINT8: (0, 255),
    TensorProto.INT4: (-8, 7), TensorProto.UINT4: (0, 15),
}  # fmt: skip
#: Few factors and small ones, so that sums of several scales stay within float32.
SCALES = [0.25, 0.375, 0.5, 1.0, 0.75, 1.5]
ODD_SCALES = [0.1, 0.3, 0.07]


class Grower:
    """Grows a network tensor by tensor; remembers the shape of each.

    ``quantized`` tensors may enter a layer, a sum or a pool; what comes out is quantized again,
    some time.
    """

    def __init__(self, net, draw, kinds, scales, odd_scales):
        self.net, self.draw, self.kinds = net, draw, kinds
        self.scales, self.odd_scales = scales, odd_scales
        self.tensors = []

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def pick(self):
        return self.one_of(*self.tensors[-3:])

    def keep(self, x, shape):
        self.tensors.append((x, shape))

    def quantize(self, x, shape):
        kind = self.one_of(*self.kinds)
        low, high = KINDS[kind]
        channels = shape[0] if self.one_of(*[False] * 4, True) else None
        zero = self.one_of(low, 0, high // 2, max(low, -3))
        if not self.odd_scales:  # onnxruntime rounds sums together with the zero point
            zero -= zero % 2
        scale = self.one_of(*self.scales, *([] if channels else self.odd_scales))
        if channels:
            factors = self.draw(st.lists(st.sampled_from([1, 2]), min_size=channels,
                                         max_size=channels))  # fmt: skip
            out = self.net.quantize(x, np.float32(factors) * scale, zero, kind, axis=1)
        else:
            out = self.net.quantize(x, scale, zero, kind)
        self.keep(out, shape)

    def layer(self):
        x, (channels, *size) = self.pick()
        outs, groups = self.draw(st.integers(1, 3)), 1
        if channels > 1 and self.one_of(False, True):
            groups, outs = channels, channels
        kernel = [self.draw(st.integers(1, min(3, n))) for n in size]
        pads = [self.draw(st.integers(0, 1)) for _ in range(4)]
        strides = [self.one_of(1, 1, 2) for _ in size]
        y = self.net.layer(
            x, (outs, channels // groups, *kernel), self.one_of(0.25, 0.125, 0.5),
            pads=pads, strides=strides, group=groups, bias=self.one_of(True, False),
        )  # fmt: skip
        spans = zip(size, kernel, pads[:2], pads[2:], strides, strict=True)
        shape = (outs, *((n + a + b - k) // s + 1 for n, k, a, b, s in spans))
        self.quantize(self.activation(y, outs), shape)

    def activation(self, x, channels):
        net = self.net
        kind = self.one_of("none", "none", "relu", "clip", "leaky", "scale")
        if kind == "relu":
            return net.relu(x)
        if kind == "clip":
            return net.node("Clip", x, net.const(self.one_of(0.0, -1.0)), net.const(6.0))
        if kind == "leaky":
            return net.node("LeakyRelu", x, alpha=0.125)
        if kind == "scale":
            factors = np.reshape([self.one_of(0.5, 2.0, 1.5) for _ in range(channels)], (-1, 1, 1))
            return net.node("Add", net.node("Mul", x, net.const(factors)), net.const(0.5))
        return x

    def sum(self):
        x, shape = self.pick()
        others = [y for y, s in self.tensors if s == shape]
        y = self.net.node(self.one_of("Add", "Sub"), x, self.one_of(*others))
        self.quantize(self.activation(y, shape[0]), shape)

    def pool(self):
        x, (channels, *size) = self.pick()
        op = self.one_of("MaxPool", "MaxPool", "AveragePool")
        kernel = [self.draw(st.integers(1, min(2, n))) for n in size]
        pads = [self.draw(st.integers(0, k - 1)) for k in kernel] + [0, 0]
        y = self.net.node(op, x, kernel_shape=kernel, pads=pads)
        size = [n + p - k + 1 for n, p, k in zip(size, pads[:2], kernel, strict=True)]
        if op == "MaxPool" and self.one_of(True, False):
            self.keep(y, (channels, *size))
        else:
            self.quantize(y, (channels, *size))

    def join(self):
        x, (channels, *size) = self.pick()
        others = [(y, s) for y, s in self.tensors if s[1:] == tuple(size)]
        y, (more, *_) = self.one_of(*others)
        if channels + more <= 5:
            self.keep(self.net.node("Concat", x, y, axis=1), (channels + more, *size))

    def move(self):
        x, (channels, *size) = self.pick()
        net = self.net
        if self.one_of(True, False) or channels == 1:
            y = net.node("Pad", x, net.ints(0, 0, 1, 0, 0, 0, 0, 1))
            self.keep(y, (channels, size[0] + 1, size[1] + 1))
        else:
            y = net.node("Slice", x, net.ints(1), net.ints(channels), net.ints(1))
            self.keep(y, (channels - 1, *size))


@st.composite
def networks(draw, quantized_net, kinds, scales=SCALES, odd_scales=ODD_SCALES):
    net = quantized_net(seed=draw(st.integers(0, 2**16)), opset=21)
    zero = draw(st.sampled_from([0, 3, -128]))
    grower = Grower(net, draw, kinds, scales, odd_scales)
    grower.keep(net.data(zero=zero), (2, 4, 4))
    grower.layer()
    for _ in range(draw(st.integers(2, 5))):
        getattr(grower, grower.one_of("layer", "layer", "sum", "pool", "join", "move"))()
    x, shape = grower.tensors[-1]
    x = net.layer(x, (2, shape[0], 1, 1), 0.25)
    output = net.quantize(x, 1.0, 1, name="last")
    return net.model(output), net.images()


def said(result):
    """Names of the populations; networks with analog parts, where float32 rounds, are left out."""
    nodes = result.model.graph.node
    assume([n.name for n in nodes if n.op_type == "QuantizeLinear"] == ["first"])
    return {n.name for n in nodes if n.op_type == "StaircaseFire"}


@settings(max_examples=12)
@given(data=st.data())
def test_every_integer_of_every_population(quantized_net, exactly, data):
    model, feeds = data.draw(networks(quantized_net, list(KINDS)))
    assume(said(convert(model, recipe="exact-asg")))
    check = exactly(model, feeds)
    found = [said(check.check(recipe, ...)) for recipe in ("exact-asg", "exact-radix")]
    assert found[0] == found[1]


@settings(max_examples=8)
@given(data=st.data())
def test_unary_settles_in_the_number_of_steps_that_is_promised(quantized_net, exactly, data):
    model, feeds = data.draw(networks(quantized_net, [TensorProto.INT4, TensorProto.UINT4]))
    assume(said(convert(model, recipe="exact")))
    exactly(model, feeds).check("exact", ...)


@settings(max_examples=10)
@given(data=st.data())
def test_both_arithmetics_agree_where_float32_rounds_nothing(quantized_net, exactly, data):
    """Scales that are powers of two: the kernels' factors are exact, so are their products."""
    kinds = [TensorProto.INT8, TensorProto.UINT8]
    model, feeds = data.draw(networks(quantized_net, kinds, [0.25, 0.5, 1.0], []))
    assume(said(convert(model, recipe="exact-radix", arithmetic="ort")))
    exactly(model, feeds).check("exact-radix", ..., arithmetic="ort")
