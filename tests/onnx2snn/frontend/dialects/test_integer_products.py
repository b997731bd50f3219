"""Products of integers and dynamic quantizers become float operators with quantized weights."""

import numpy as np
import pytest
from onnx import TensorProto

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise

MS = "com.microsoft"
PAIR = ["QuantizeLinear", "DequantizeLinear"]


@pytest.fixture
def build(new_net, new_integers):
    def make():
        net = new_net()
        net.domains = [MS]
        return net, new_integers(net)

    return make


def product(net, op, x, zero, w, factor, **attributes):
    """A product of integers, and its factor behind a Cast; ``w`` is integers, scale, zero."""
    y = net.node(op, x, w[0], zero, w[2], **attributes)
    return net.node("Mul", net.node("Cast", y, to=TensorProto.FLOAT), factor)


def dynamic(net, x):
    """Integers, scale and zero point of a dynamic quantizer."""
    node = net.node("DynamicQuantizeLinear", x, outputs=3)
    return node, f"{node}1", f"{node}2"


def images(net, *shape):
    return net.rng.normal(size=shape or (3, 4, 6, 6)).astype(np.float32)


def said_to_be_dynamic(canonical, count=1):
    (said,) = canonical.diagnostics
    assert (said.code, said.severity) == ("DYNAMIC_QUANTIZER", "info")
    assert said.what.startswith(f"{count} dynamic")


@pytest.mark.parametrize("factor", [0.25, np.array([0.5, 0.25, 1.0]).reshape(3, 1, 1)])
@pytest.mark.parametrize("weight", [np.int8, np.uint8])
def test_fixed_convolution(build, same_exactly, ops_of, factor, weight):
    net, ints = build()
    x, _scale, zero = ints.tensor(net.input(shape=("N", 4, 6, 6)), 2.0**-5, 100)
    w = ints.weights((3, 4, 3, 3), weight)
    y = product(net, "ConvInteger", x, zero, w, net.const(factor), pads=[1] * 4)
    model = net.model(net.relu(y), shape=["N", 3, 6, 6])
    canonical = same_exactly(model, images(net))
    assert ops_of(canonical) == [*PAIR, "Conv", "Relu"]
    kept = canonicalise(model, keep_integers=True)
    assert ops_of(kept).count("DequantizeLinear") == 2
    assert not canonical.diagnostics


@pytest.mark.parametrize("factor", [0.25, [0.5, 0.25, 1.0, 2.0, 0.25]])
def test_fixed_matrix_product(build, same_exactly, ops_of, factor):
    net, ints = build()
    x, _scale, zero = ints.tensor(net.input(shape=("N", 8)), 2.0**-5, 100)
    y = product(net, "MatMulInteger", x, zero, ints.weights((8, 5)), net.const(factor))
    canonical = same_exactly(net.model(y, shape=["N", 5]), images(net, 4, 8))
    assert ops_of(canonical) == [*PAIR, "Gemm"]


def test_integers_from_outside_without_a_factor(build, same_exactly, ops_of):
    net, ints = build()
    x = net.input(shape=("N", 8), dtype=TensorProto.UINT8)
    y = net.node("MatMulInteger", x, ints.weights((8, 5))[0])
    model = net.model(net.node("Cast", y, to=TensorProto.FLOAT), shape=["N", 5])
    feeds = net.rng.integers(0, 256, (4, 8)).astype(np.uint8)
    assert ops_of(same_exactly(model, feeds)) == ["DequantizeLinear", "Gemm"]


@pytest.mark.parametrize("order", ["together", "one by one"])
@pytest.mark.parametrize(
    ("op", "shape", "weights", "factor"),
    [
        ("ConvInteger", (4, 6, 6), (3, 4, 3, 3), 2.0**-6),
        ("ConvInteger", (4, 6, 6), (3, 4, 3, 3), [[[2.0**-5]], [[2.0**-6]], [[2.0**-7]]]),
        ("MatMulInteger", (8,), (8, 3), 2.0**-6),
        ("MatMulInteger", (8,), (8, 3), [2.0**-5, 2.0**-6, 2.0**-7]),
    ],
)
def test_dynamic_quantizer(build, same_function, ops_of, order, op, shape, weights, factor):
    """Equal up to half a step of the quantizer that is left out, for each product."""
    net, ints = build()
    x, scale, zero = dynamic(net, net.input(shape=("N", *shape)))
    w, factor = ints.weights(weights), net.const(factor)
    if order == "together":
        y = product(net, op, x, zero, w, net.node("Mul", scale, factor))
    else:
        y = net.node("Mul", product(net, op, x, zero, w, factor), scale)
    out = (3, 4, 4) if op == "ConvInteger" else (3,)
    bias = net.const(np.ones((3, 1, 1) if op == "ConvInteger" else 3))
    model = net.model(net.node("Add", y, bias), shape=["N", *out])
    canonical = same_function(model, images(net, 4, *shape), tolerance=0.02)
    assert ops_of(canonical) == ["Conv" if op == "ConvInteger" else "Gemm"]
    said_to_be_dynamic(canonical)


def test_one_dynamic_quantizer_for_two_products(build, same_function, ops_of):
    net, ints = build()
    x, scale, zero = dynamic(net, net.input(shape=("N", 8)))
    both = [product(net, "MatMulInteger", x, zero, ints.weights((8, 5)), scale) for _ in range(2)]
    model = net.model(net.node("Add", *both), shape=["N", 5])
    canonical = same_function(model, images(net, 4, 8), tolerance=0.02)
    assert sorted(ops_of(canonical)) == ["Add", "Gemm", "Gemm"]
    said_to_be_dynamic(canonical)


def test_dynamic_quantizer_that_is_dequantized(build, same_function, ops_of):
    net, _ints = build()
    x = dynamic(net, net.input(shape=("N", 8)))
    model = net.model(net.gemm(net.node("DequantizeLinear", *x), (8, 5)))
    canonical = same_function(model, images(net, 4, 8), tolerance=0.02)
    assert ops_of(canonical) == ["Gemm"]
    said_to_be_dynamic(canonical)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["MatMulIntegerToFloat", "DynamicQuantizeMatMul", "static"])
def test_fused_forms_of_onnxruntime(build, same_function, ops_of, bias, kind):
    net, ints = build()
    x = net.input(shape=("N", 8))
    w = ints.weights((8, 5), axis=1)
    more = [net.const(net.rng.normal(size=5))] if bias else []
    if kind == "DynamicQuantizeMatMul":
        y = net.node(kind, x, *w, *more, domain=MS)
    else:
        quantized = dynamic(net, x) if kind != "static" else ints.tensor(x, 2.0**-5, 100)
        parameters = [quantized[0], w[0], quantized[1], w[1], quantized[2], w[2]]
        y = net.node("MatMulIntegerToFloat", *parameters, *more, domain=MS)
    model = net.model(y, shape=["N", 5])
    canonical = same_function(model, images(net, 4, 8), tolerance=0.02)
    assert ops_of(canonical) == (PAIR if kind == "static" else []) + ["Gemm"]
    if kind != "static":
        said_to_be_dynamic(canonical)


def refused(model, reason):
    with pytest.raises(UnsupportedModelError, match=f"{reason}.*QDQ format"):
        canonicalise(model)


def test_both_operands_computed(build):
    net, _ints = build()
    x, scale, zero = dynamic(net, net.input(shape=(8, 8)))
    y = product(net, "MatMulInteger", x, zero, [x, None, zero], net.node("Mul", scale, scale))
    refused(net.model(y, shape=[8, 8]), "not followed by the scale")
    net, _ints = build()
    x, scale, zero = dynamic(net, net.input(shape=(8, 8)))
    y = product(net, "MatMulInteger", x, zero, [x, None, zero], scale)
    refused(net.model(y, shape=[8, 8]), "both operands are computed")


def test_without_the_dynamic_scale(build):
    net, ints = build()
    x, _scale, zero = dynamic(net, net.input(shape=("N", 8)))
    y = product(net, "MatMulInteger", x, zero, ints.weights((8, 5)), net.const(0.5))
    refused(net.model(y, shape=["N", 5]), "not followed by the scale of its dynamic quantizer")


def test_other_readers_of_a_dynamic_quantizer(build):
    net, ints = build()
    x, scale, zero = dynamic(net, net.input(shape=("N", 8)))
    y = product(net, "MatMulInteger", x, zero, ints.weights((8, 5)), scale)
    model = net.model(y, net.node("Identity", scale), shape=None, check=False)
    refused(model, "what follows this dynamic quantizer")


def test_a_product_that_stays_integer(build):
    net, ints = build()
    x, _scale, zero = ints.tensor(net.input(shape=("N", 8)), 2.0**-5, 100)
    y = net.node("MatMulInteger", x, ints.weights((8, 5))[0], zero)
    refused(net.model(y, shape=["N", 5], dtype=TensorProto.INT32), "no Cast to float")


def test_another_scale_than_the_quantizers(build):
    net, ints = build()
    x = ints.tensor(net.input(shape=("N", 8)), 2.0**-5, 100)
    w = ints.weights((8, 5))
    parameters = [x[0], w[0], net.const(0.7), w[1], x[2], w[2]]
    y = net.node("MatMulIntegerToFloat", *parameters, domain=MS)
    refused(net.model(y, shape=["N", 5]), "not the one of its input's quantizer")


def test_scales_along_several_axes(build):
    net, ints = build()
    x, _scale, zero = ints.tensor(net.input(shape=("N", 4, 6, 6)), 2.0**-5, 100)
    factor = net.const(np.ones((3, 1, 4)))
    y = product(net, "ConvInteger", x, zero, ints.weights((3, 4, 3, 3)), factor)
    refused(net.model(y, shape=["N", 3, 4, 4]), "several axes")
