"""What a model itself says of the range of its inputs."""

import numpy as np
import pytest
from onnx import TensorProto

from onnx2snn.frontend import canonicalise
from onnx2snn.sites.input_range import input_range


@pytest.mark.parametrize(
    ("zero", "dtype", "wanted"),
    [(0, np.uint8, (0, 25.5)), (128, np.uint8, (-12.8, 12.7)), (0, np.int8, (-12.8, 12.7))],
)
def test_its_own_quantizer(new_net, quantized, zero, dtype, wanted):
    net = new_net(opset=17)
    model = net.model(net.relu(quantized(net, net.input(), 0.1, zero, dtype)))
    assert input_range(canonicalise(model)) == pytest.approx(wanted)


def test_the_widest_of_several(new_net, quantized):
    net = new_net(opset=17)
    left = quantized(net, net.input("a"), 0.1)
    right = quantized(net, net.input("b"), 0.2, 128)
    model = net.model(net.relu(net.node("Add", left, right)))
    assert input_range(canonicalise(model)) == pytest.approx((-25.6, 25.5))


def test_bytes(new_net):
    net = new_net()
    x = net.node("Cast", net.input(dtype=TensorProto.UINT8), to=TensorProto.FLOAT)
    assert input_range(canonicalise(net.model(net.relu(x)))) == (0, 255)


def test_a_clip(new_net):
    net = new_net()
    x = net.node("Clip", net.input(), net.const(-2.0), net.const(3.0))
    assert input_range(canonicalise(net.model(x))) == (-2, 3)


@pytest.mark.parametrize("op", ["Relu", "Neg"])
def test_nothing(new_net, op):
    net = new_net()
    assert input_range(canonicalise(net.model(net.node(op, net.input())))) is None
