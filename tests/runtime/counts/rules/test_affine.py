"""How large a layer's sums may become."""

import numpy as np
import pytest

from onnx2snn_runtime.counts import NotCountableError
from onnx2snn_runtime.counts.rewrite import rewrite

#: Of 300 codes up to 255: as many weights of either sign as float32 holds sums of.
WEIGHT = 2**24 // (255 * 150) - 1


def network(net, s_min, weights):
    codes = net.onnx("Cast", [net.input("x", 300)], to=7)
    x = net.spiking("CodeEncode", [codes, net.const(0, np.int64)], emission="radix")
    constants = [np.arange(1, 256)[None], [s_min], [0], [0]]
    names = [net.const(c, np.int64) for c in constants]
    x = net.spiking("StaircaseFire", [x, *names], 3, emission="radix")
    x = net.onnx("MatMul", [x, net.const(np.reshape(weights, (300, 1)))])
    constants[0] = np.arange(1, 9)[None]
    names = [net.const(c, np.int64) for c in constants]
    x = net.spiking("StaircaseFire", [x, *names], 3, emission="radix")
    return net.model(net.readout(x, "radix"))


def test_weights_of_both_signs_never_add_up_for_natural_numbers(builder):
    signs = np.repeat([WEIGHT, -WEIGHT], 150)
    rewrite(network(builder(8), 0, signs), 8, rates=False)
    with pytest.raises(NotCountableError, match="may not fit"):
        rewrite(network(builder(8), -128, 2 * signs), 8, rates=False)
    with pytest.raises(NotCountableError, match="may not fit"):
        rewrite(network(builder(8), 0, np.abs(signs)), 8, rates=False)
