"""Both oracles tell the same of a network that has nothing to round differently."""

import numpy as np
import pytest

from onnx2snn.evaluation.oracles import ORACLES
from onnx2snn.evaluation.rational import RationalNetwork
from onnx2snn.frontend import canonicalise


@pytest.fixture
def told(quantized):
    """What each oracle tells of one network and the same samples: levels, outputs, kernels."""
    q = quantized
    x = q.input(("N", 2, 4, 4), zero_point=2, name="in")
    layer = q.net.node("Conv", x, q.weights(3, 2, 3, 3, scales=np.full(3, 2.0**-5)))
    end = q.pair(layer, scale=2.0**-3, zero_point=-9, name="end")
    model = q.net.model(end)
    exact = RationalNetwork(canonicalise(model, keep_integers=True).to_model())
    images = q.rng.normal(size=(3, 2, 4, 4)).astype(np.float32)

    def tell(name):
        oracle = ORACLES[name](model, exact, ["end"])
        levels = {}
        outputs = oracle.run({"x": images}, lambda n, values: levels.update({n: values}))
        return levels, outputs[end], oracle.kernels

    return tell


def test_they_agree(told):
    (rational, output, none), (kernels, same_output, operators) = map(told, ORACLES)
    assert (none, operators) == ({}, {"end": "QLinearConv"})
    assert rational["end"].dtype == kernels["end"].dtype == np.int64
    np.testing.assert_array_equal(rational["end"], kernels["end"])
    np.testing.assert_array_equal(output, same_output)


def test_levels_have_no_zero_point(told):
    """The dequantized output is the levels times the scale."""
    for name in ORACLES:
        levels, output, _ = told(name)
        np.testing.assert_array_equal(levels["end"] * 2.0**-3, output)
        assert levels["end"].any()
