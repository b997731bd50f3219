"""How large a layer's sums may become."""

import numpy as np
import pytest

from onnx2snn_runtime import SpikingSession
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


@pytest.mark.parametrize("backend", ["stock", "native"])
@pytest.mark.parametrize("groups", [2, 3])
def test_sums_beyond_float32_are_computed_in_parts(builder, same_bits, backend, groups):
    """Odd sums of which float32 holds the parts of so many groups, but not the whole."""
    net, channels = builder(8), 12
    rng = np.random.default_rng(3)
    codes = net.onnx("Cast", [net.input("x", channels, 4, 4)], to=7)
    x = net.spiking("CodeEncode", [codes, net.const(0, np.int64)], emission="radix")
    largest = groups * 2**24 // (255 * channels * 4) - 20
    weights = rng.integers(largest - 20, largest + 1, (5, channels, 2, 2))
    x = net.onnx("Conv", [x, net.const(weights)], kernel_shape=[2, 2], strides=[1, 1])
    middle = 128 * channels * 4 * largest
    constants = [middle + np.sort(rng.integers(-(10**6), 10**6, (5, 40)), axis=1), [0], [0], [0]]
    names = [net.const(c, np.int64) for c in constants]
    x = net.spiking("StaircaseFire", [x, *names], 3, emission="radix")
    model = net.model(net.readout(x, "radix"))
    convolution = next(n for n in rewrite(model, 8, rates=False).graph.node if n.op_type == "Conv")
    assert [a.i for a in convolution.attribute if a.name == "group"] == [groups]
    images = rng.integers(100, 156, (3, channels, 4, 4)).astype(np.float32)
    session = SpikingSession(model, backend=backend)
    assert session.is_counted
    (found,) = session.run(images).values()
    (wanted,) = SpikingSession(model, backend="reference").run(images).values()
    assert same_bits(found, wanted)
    assert len(np.unique(wanted)) > 5
