"""Random quantized networks: the exact spiking form of each equals exact arithmetic.

Two implementations that share no code check each other: the tables of ``onnx2snn.exact``, run as
spiking neurons in onnxruntime, and the fractions of ``onnx2snn.evaluation.rational``.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation import ExactSession, verify

CHANNELS, SIZE = 3, 6
LAYERS = ("conv", "depthwise", "residual", "concat", "average", "maximum", "affine")
ACTIVATIONS = ("none", "relu", "clip", "leaky")


class Chain:
    """Layers one after the other; every tensor between them is quantized, [N, 3, 6, 6]."""

    def __init__(self, quantized):
        self.q, self.net = quantized, quantized.net
        self.past = [quantized.input(("N", CHANNELS, SIZE, SIZE), zero_point=3)]

    def add(self, layer, activation, zero_point, unsigned):
        value = getattr(self, layer)(self.past[-1])
        value = self.activated(value, activation)
        kind = np.uint8 if unsigned else np.int8
        start = zero_point + 100 if unsigned else zero_point
        self.past.append(self.q.pair(value, scale=2.0**-4, zero_point=start, kind=kind))

    def activated(self, value, activation):
        if activation == "relu":
            return self.net.relu(value)
        if activation == "clip":
            return self.net.node("Clip", value, self.net.const(-0.7), self.net.const(1.9))
        if activation == "leaky":
            return self.net.node("LeakyRelu", value, alpha=0.3)
        return value

    def weights(self, *shape):
        return self.q.weights(*shape, scales=np.full(shape[0], 2.0**-5))

    def conv(self, x):
        weights = self.weights(CHANNELS, CHANNELS, 3, 3)
        return self.net.node("Conv", x, weights, self.q.bias(CHANNELS), pads=[1, 1, 1, 1])

    def depthwise(self, x):
        weights = self.weights(CHANNELS, 1, 3, 1)
        return self.net.node("Conv", x, weights, pads=[2, 0, 0, 0], group=CHANNELS)

    def residual(self, x):
        return self.net.node("Add", self.past[len(self.past) // 2], x)

    def concat(self, x):
        both = self.net.node("Concat", self.past[0], x, axis=1)
        wide = self.q.pair(both, scale=2.0**-4)
        return self.net.node("Conv", wide, self.weights(CHANNELS, 2 * CHANNELS, 1, 1))

    def average(self, x):
        return self.net.node("AveragePool", x, kernel_shape=[3, 2], pads=[1, 1, 1, 0])

    def maximum(self, x):
        return self.net.node("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def affine(self, x):
        factor = self.net.const(np.array([0.7, 1.3, 0.9]).reshape(-1, 1, 1))
        shift = self.net.const(np.array([0.1, -0.2, 0.0]).reshape(-1, 1, 1))
        return self.net.node("Add", self.net.node("Mul", x, factor), shift)


STEP = st.tuples(
    st.sampled_from(LAYERS), st.sampled_from(ACTIVATIONS), st.integers(-20, 20), st.booleans()
)


@pytest.fixture(scope="module")
def networks(quantized_class, new_net):
    """A builder of chains, with scales as training gives them or powers of two, full of ties."""

    def make(steps, odd, seed):
        chain = Chain(quantized_class(new_net, odd=odd, seed=seed))
        for step in steps:
            chain.add(*step)
        images = chain.q.rng.normal(0, 1.5, (3, CHANNELS, SIZE, SIZE)).astype(np.float32)
        return chain.net.model(chain.past[-1]), images

    return make


@settings(max_examples=8)
@given(steps=st.lists(STEP, min_size=1, max_size=4), odd=st.booleans(), seed=st.integers(0, 99))
def test_exact_networks_are_exact(networks, steps, odd, seed):
    source, images = networks(steps, odd, seed)
    session = ExactSession(convert(source, recipe="exact-radix").model)
    result = verify(session, source, open_dataset(images, session.inputs))
    assert result.equal, result.first
    assert len(result.populations) >= len(steps)
