"""Quantized networks, and exact spiking networks made of one of them."""

import numpy as np
import onnx
import pytest

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.frontend import canonicalise
from onnx2snn_runtime import SpikingSession


class Quantized:
    """A network of one operator between quantizers.

    All numbers are short dyadic fractions, unless ``odd`` asks for scales as training gives them.
    """

    def __init__(self, new_net, *, odd=False, seed=0):
        self.odd = odd
        self.net = new_net(seed=seed)
        self.rng = np.random.default_rng(seed)

    def pair(self, x, *, scale=2.0**-4, zero_point=0, kind=np.int8, name=None):
        """QuantizeLinear → DequantizeLinear."""
        scale = self.scale(scale)
        return self.dequantized(
            self.quantized(x, scale, zero_point, kind, name), scale, zero_point, kind
        )

    def quantized(self, x, scale, zero_point, kind, name=None):
        net = self.net
        parameters = net.const(scale), net.const(zero_point, dtype=kind)
        return net.node("QuantizeLinear", x, *parameters, name=name)

    def dequantized(self, integers, scale, zero_point, kind):
        net = self.net
        return net.node(
            "DequantizeLinear", integers, net.const(scale), net.const(zero_point, dtype=kind)
        )

    def scale(self, values):
        values = np.asarray(values, dtype=np.float32)
        if self.odd:
            values = values * self.rng.uniform(0.8, 1.2, values.shape).astype(np.float32)
        return values

    def input(self, shape=("N", 3, 6, 5), **options):
        """A quantized input."""
        return self.pair(self.net.input(shape=shape), **options)

    def weights(self, *shape, axis=0, scales=None):
        """int8 weights with one scale for each index of an axis."""
        net = self.net
        integers = net.const(self.rng.integers(-9, 10, shape), dtype=np.int8)
        if scales is None:
            scales = 2.0 ** self.rng.integers(-4, -1, shape[axis])
        return net.node("DequantizeLinear", integers, net.const(self.scale(scales)), axis=axis)

    def bias(self, count, scales=2.0**-8):
        """An int32 bias of one scale, or of one for each value."""
        net = self.net
        integers = net.const(self.rng.integers(-60, 60, count), dtype=np.int32)
        return net.node("DequantizeLinear", integers, net.const(self.scale(scales)), axis=0)

    def canonical(self, *outputs):
        """The canonical form, as a model."""
        return canonicalise(self.net.model(*outputs), keep_integers=True).to_model()


@pytest.fixture(scope="session")
def quantized_class():
    """The class that builds quantized networks."""
    return Quantized


@pytest.fixture
def quantized(new_net):
    """A builder of one network."""
    return Quantized(new_net)


@pytest.fixture
def odd(new_net):
    """A builder of one network whose scales are no powers of two."""
    return Quantized(new_net, odd=True)


@pytest.fixture(scope="session")
def tapped(run_stock):
    """The integers of every quantizer by node name, computed by onnxruntime in float32."""

    def run(model, feeds):
        variant = onnx.ModelProto()
        variant.CopyFrom(model)
        constants = {t.name for t in model.graph.initializer}
        quantizers = {
            n.name: n.output[0]
            for n in model.graph.node
            if n.op_type == "QuantizeLinear" and n.input[0] not in constants
        }
        present = {o.name for o in variant.graph.output}
        variant.graph.output.extend(
            onnx.ValueInfoProto(name=t) for t in quantizers.values() if t not in present
        )
        found = dict(
            zip(quantizers, run_stock(variant, feeds, list(quantizers.values())), strict=True)
        )
        return found, run_stock(variant, feeds, [o.name for o in model.graph.output])

    return run


@pytest.fixture(scope="session")
def source(new_net):
    """A quantized network with a residual sum, an average pool and a head of four classes.

    Written as onnxruntime's quantizer does: a bias has the product of its layer's scales.
    """
    q = Quantized(new_net)
    net, steps = q.net, np.float32([0.011, 0.007, 0.013])
    x = q.input(("N", 2, 5, 5), scale=0.02, name="in")
    weights = q.weights(3, 2, 3, 3, scales=steps)
    layer = net.node("Conv", x, weights, q.bias(3, np.float32(0.02) * steps), pads=[1, 1, 1, 1])
    left = q.pair(net.relu(layer), scale=0.003, zero_point=-128, name="left")
    point = net.node("Conv", left, q.weights(3, 3, 1, 1, scales=steps))
    right = q.pair(point, scale=0.0012, name="right")
    both = q.pair(net.node("Add", left, right), scale=0.005, zero_point=4, name="sum")
    mean = net.node("AveragePool", both, kernel_shape=[2, 2], strides=[2, 2])
    pool = q.pair(mean, scale=0.005, zero_point=4, name="pool")
    flat = net.node("Flatten", pool)
    weights = q.weights(4, 12, scales=np.float32(0.01))
    head = net.node(
        "Gemm", flat, weights, q.bias(4, np.float32(0.005) * np.float32(0.01)), transB=1
    )
    return net.model(q.pair(head, scale=0.01, name="logits"))


@pytest.fixture(scope="session")
def exact_model(source):
    """Its exact spiking form by recipe, arithmetic and T; a copy that may be changed."""
    made = {}

    def make(recipe, arithmetic="rational", timesteps=None):
        key = recipe, arithmetic, timesteps
        if key not in made:
            made[key] = convert(source, timesteps, recipe=recipe, arithmetic=arithmetic).model
        copy = onnx.ModelProto()
        copy.CopyFrom(made[key])
        return copy

    return make


@pytest.fixture(scope="session")
def samples(exact_model):
    """So many samples as a data set; fewer ones are the first of more."""
    inputs = SpikingSession(exact_model("exact-radix")).inputs
    images = np.random.default_rng(0).normal(size=(100, 2, 5, 5)).astype(np.float32)

    def some(count):
        return open_dataset(images[:count], inputs)

    return some
