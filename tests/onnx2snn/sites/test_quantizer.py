"""Ranges of the integers of a quantizer."""

import ml_dtypes
import numpy as np
import pytest

from onnx2snn.sites.quantizer import integer_range


@pytest.mark.parametrize(
    ("dtype", "ends"),
    [
        (np.int8, (-128, 127)),
        (np.uint8, (0, 255)),
        (np.int16, (-32768, 32767)),
        (np.uint16, (0, 65535)),
        (ml_dtypes.int4, (-8, 7)),
        (ml_dtypes.uint4, (0, 15)),
        (ml_dtypes.int2, (-2, 1)),
    ],
)
def test_integer_range(dtype, ends):
    assert integer_range(np.zeros((), dtype)) == ends


def test_without_a_zero_point_the_integers_are_bytes(new_net, find):
    net = new_net(opset=17)
    scale = net.const(0.1)
    y = net.node("QuantizeLinear", net.conv(net.input(), (2, 2, 1, 1)), scale)
    site = find(net.model(net.node("DequantizeLinear", y, scale))).only
    assert (site.lower, site.zero_point, site.levels) == (0.0, 0, 256)
    assert site.upper == pytest.approx(25.5)


@pytest.mark.parametrize(
    ("dtype", "opset", "lower", "upper", "levels"),
    [
        (np.int16, 21, 0.0, 3276.7, 32768),
        (ml_dtypes.int4, 21, 0.0, 0.7, 8),
        (ml_dtypes.uint4, 21, 0.0, 1.5, 16),
    ],
)
def test_other_integers(new_net, find, quantized, dtype, opset, lower, upper, levels):
    net = new_net(opset=opset)
    y = quantized(net, net.relu(net.conv(net.input(), (2, 2, 1, 1))), 0.1, 0, dtype)
    site = find(net.model(y)).only
    assert (site.lower, site.levels) == (lower, levels)
    assert site.upper == pytest.approx(upper)


def test_a_computed_scale_is_no_site(new_net, find):
    net = new_net(opset=17)
    scale = net.input("scale", ())
    y = net.node("QuantizeLinear", net.conv(net.input(), (2, 2, 1, 1)), scale)
    assert find(net.model(net.node("DequantizeLinear", y, scale))).sites == ()
