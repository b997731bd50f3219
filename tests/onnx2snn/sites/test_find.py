"""Where populations will stand: activations, not Relu nodes."""

from math import inf

import numpy as np
import onnx
import pytest

IMAGE = (2, 2, 6, 6)


def data(net, shape=IMAGE, scale=2.0):
    return (net.rng.normal(size=shape) * scale).astype(np.float32)


def test_relu(new_net, find, check_values):
    net = new_net()
    y = net.relu(net.conv(net.input(), (3, 2, 3, 3), name="conv"), name="act")
    found = find(net.model(net.conv(y, (2, 3, 2, 2))))
    site = found.only
    assert (site.name, site.kind, site.nodes) == ("act", "relu", ("act",))
    assert (site.source, site.target) == ("conv_out", "act_out")
    assert (site.channels, site.rank, site.lower, site.upper) == (3, 4, 0.0, inf)
    assert (site.levels, site.scale, site.zero_point, site.places) == (None,) * 4
    check_values(found, data(net))


def test_relu_of_the_input_and_as_output(new_net, find, check_values):
    net = new_net()
    first = net.relu(net.input(), name="first")
    found = find(net.model(net.relu(net.conv(first, (3, 2, 3, 3)), name="last")))
    assert [(s.name, s.source, s.target) for s in found.sites] == [
        ("first", "x", "first_out"),
        ("last", "conv1_out", "last_out"),
    ]
    check_values(found, data(net))


@pytest.mark.parametrize("shape", [("N", 5), ("N", 5, 7), ("N", 5, 2, 3, 4)])
def test_rank_and_channels(new_net, find, shape):
    net = new_net()
    site = find(net.model(net.relu(net.input(shape=shape)))).only
    assert (site.rank, site.channels) == (len(shape), 5)


def test_unknown_number_of_channels(new_net, find):
    net = new_net()
    assert find(net.model(net.relu(net.input(shape=("N", "C", 4))))).only.channels is None


@pytest.mark.parametrize("opset", [7, 10, 11, 13, 18])
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.0, 1.0), (0.25, 0.75), (0.0, None)])
def test_clip(new_net, find, check_values, opset, low, high):
    net = new_net(opset=opset)
    x = net.conv(net.input(), (3, 2, 3, 3))
    if opset < 11:
        limits = {"min": low} | ({} if high is None else {"max": high})
        y = net.node("Clip", x, name="act", **limits)
    else:
        y = net.node("Clip", x, net.const(low), *([] if high is None else [net.const(high)]))
    found = find(net.model(y))
    assert found.only.kind == "clip"
    assert (found.only.lower, found.only.upper) == (low, inf if high is None else high)
    check_values(found, data(net))


@pytest.mark.parametrize(
    "limits",
    [
        (None, 6.0),
        (-np.inf, 6.0),
        (float(np.finfo(np.float32).min), 6.0),
        (None, None),
        (6.0, 0.0),
    ],
)
def test_a_clip_without_lower_bound_is_no_site(new_net, find, limits):
    net = new_net()
    given = ["" if v is None else net.const(v) for v in limits]
    found = find(net.model(net.node("Clip", net.input(), *given)))
    assert found.sites == ()


def test_largest_float_means_no_upper_bound(new_net, find):
    net = new_net()
    top = float(np.finfo(np.float32).max)
    y = net.node("Clip", net.input(), net.const(0.0), net.const(top))
    assert find(net.model(y)).only.upper == inf


def test_computed_limits_are_no_site(new_net, find):
    net = new_net()
    y = net.node("Clip", net.input(), net.const(0.0), net.input("top", ()))
    assert find(net.model(y)).sites == ()


def test_relu_then_quantizer(new_net, find, check_values, quantized):
    net = new_net(opset=17)
    y = net.relu(net.conv(net.input(), (3, 2, 3, 3)), name="act")
    found = find(net.model(quantized(net, y, 0.01, -128, np.int8)))
    site = found.only
    assert (site.kind, site.lower, site.levels, site.zero_point) == ("quantizer", 0.0, 256, -128)
    assert site.scale == pytest.approx(0.01)
    assert site.upper == pytest.approx(2.55)
    assert site.nodes == ("act", "quantizelinear2", "dequantizelinear3")
    check_values(found, data(net))


def test_signed_quantizers_around_a_relu(new_net, find, check_values, quantized):
    net = new_net(opset=17)
    y = quantized(net, net.conv(net.input(), (3, 2, 3, 3)), 0.02, 0, np.int8)
    y = quantized(net, net.relu(y), 0.015, 0, np.int8)
    found = find(net.model(net.conv(y, (2, 3, 2, 2))))
    site = found.only
    assert (site.kind, site.name, site.lower) == ("quantizer", "quantizelinear1", 0.0)
    assert len(site.nodes) == 5
    assert site.scale == pytest.approx(0.015)
    assert site.upper == pytest.approx(0.015 * 127)
    assert site.levels == 128
    assert site.target == "dequantizelinear5_out"
    check_values(found, data(net))


LAYERS = {
    "Conv": lambda net, x: net.conv(x, (2, 2, 3, 3)),
    "ConvTranspose": lambda net, x: net.conv(x, (2, 2, 3, 3), op="ConvTranspose"),
    "Add": lambda net, x: net.node("Add", x, net.conv(x, (2, 2, 1, 1))),
    "Gemm": lambda net, x: net.gemm(net.node("Flatten", x), (72, 4)),
    "MatMul": lambda net, x: net.node("MatMul", net.node("Flatten", x), net.random(72, 4)),
    "BatchNormalization": lambda net, x: net.norm(x, 2),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("zero", "dtype"), [(0, np.uint8), (-128, np.int8)])
def test_a_relu_absorbed_in_a_quantizer(new_net, find, check_values, quantized, layer, zero, dtype):
    net = new_net(opset=17)
    y = quantized(net, LAYERS[layer](net, net.input()), 0.02, zero, dtype)
    found = find(net.model(net.node("Flatten", y)))
    assert (found.only.kind, found.only.lower, found.only.levels) == ("quantizer", 0.0, 256)
    check_values(found, data(net))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_quantizer_of_signed_values_is_no_site(new_net, find, quantized, layer):
    net = new_net(opset=17)
    y = quantized(net, LAYERS[layer](net, net.input()), 0.02, 100)
    assert find(net.model(net.node("Flatten", y))).sites == ()


def test_the_quantizer_of_the_input_is_no_site(new_net, find, quantized):
    net = new_net(opset=17)
    y = quantized(net, net.input(), 0.02)
    found = find(net.model(net.relu(net.conv(y, (3, 2, 3, 3)), name="act")))
    assert found.only.name == "act"


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
def test_the_quantizer_of_a_pooled_activation_is_no_site(new_net, find, quantized, avgpool):
    net = new_net(opset=17)
    y = quantized(net, net.conv(net.input(), (3, 2, 3, 3)), 0.02)
    y = quantized(net, net.node("AveragePool", y, kernel_shape=[2, 2]), 0.02)
    found = find(net.model(net.conv(y, (2, 3, 2, 2))), avgpool)
    assert found.kinds == ["quantizer", "average_pool"][: 1 + (avgpool == "spiking")]


@pytest.mark.parametrize("way", ["pool", "global", "flatten", "quantized pool", "concat"])
def test_a_relu_absorbed_behind_a_pool_of_signed_values(
    new_net, find, check_values, quantized, way
):
    # Conv, AveragePool, Relu: onnxruntime's quantizer puts the Relu into the pool's quantizer.
    net = new_net(opset=17)
    x = net.relu(net.input(), name="first")
    y = net.conv(x, (3, 2, 3, 3))
    if way == "quantized pool":
        y = quantized(net, y, 0.02, 128)
    if way == "flatten":
        y = net.node("Flatten", y)
    elif way == "global":
        y = net.node("GlobalAveragePool", y)
    elif way == "concat":
        y = net.node("Concat", net.node("AveragePool", x, kernel_shape=[3, 3]), y, axis=1)
    else:
        y = net.node("AveragePool", y, kernel_shape=[2, 2])
    y = quantized(net, y, 0.01, 0, name="absorbed")
    found = find(net.model(net.node("Flatten", y)), "linear")
    assert [s.name for s in found.sites] == ["first", "absorbed"]
    check_values(found, data(net))


def test_a_quantizer_for_each_channel_is_no_site(new_net, find, quantized):
    net = new_net(opset=17)
    y = quantized(net, net.conv(net.input(), (2, 2, 3, 3)), [0.1, 0.2], [0, 0], axis=1)
    assert find(net.model(net.node("Flatten", y))).sites == ()


def test_a_chain_ends_where_another_reads_it(new_net, find, check_values, quantized):
    net = new_net(opset=17)
    act = net.relu(net.conv(net.input(), (2, 2, 3, 3)), name="act")
    low = quantized(net, act, 0.02)
    y = net.node("Add", net.conv(low, (2, 2, 1, 1)), act)
    found = find(net.model(y))
    assert [(s.kind, s.nodes) for s in found.sites] == [("relu", ("act",))]
    check_values(found, data(net))


def test_a_chain_ends_at_an_output(new_net, find):
    net = new_net()
    act = net.relu(net.input(), name="act")
    y = net.node("Clip", act, net.const(0.0), net.const(1.0), name="clip")
    assert [s.nodes for s in find(net.model(act, y)).sites] == [("act",), ("clip",)]
    assert [s.nodes for s in find(net.model(y)).sites] == [("act", "clip")]


def test_several_readers_share_a_population(new_net, find, check_values):
    net = new_net()
    act = net.relu(net.conv(net.input(), (2, 2, 3, 3), pads=[1] * 4), name="act")
    y = net.node("Add", net.conv(act, (2, 2, 3, 3), pads=[1] * 4), act)
    found = find(net.model(net.conv(net.relu(y, name="sum"), (2, 2, 1, 1))))
    assert [s.name for s in found.sites] == ["act", "sum"]
    check_values(found, data(net))


def test_what_is_kept_analog_is_no_site(new_net, find):
    net = new_net()
    x = net.relu(net.input(), name="a")
    y = net.relu(net.conv(x, (2, 2, 3, 3)), name="b")
    found = find(net.model(net.conv(y, (2, 2, 2, 2))), keep_analog=["a"])
    assert [s.name for s in found.sites] == ["b"]


@pytest.mark.parametrize("kept", ["before", "before_d", "act", "behind", "behind_d"])
def test_any_part_of_a_chain_can_be_kept_analog(new_net, find, quantized, kept):
    net = new_net(opset=17)
    y = quantized(net, net.conv(net.input(), (2, 2, 3, 3)), 0.02, 0, np.int8, name="before")
    y = quantized(net, net.relu(y, name="act"), 0.02, 0, np.int8, name="behind")
    found = find(net.model(net.conv(y, (2, 2, 2, 2))), keep_analog=[kept])
    assert all(kept not in s.nodes for s in found.sites)
    assert len(found.sites) == (0 if kept == "act" else 1)


def test_an_operator_of_a_foreign_domain_is_no_site(new_net, find):
    net = new_net()
    net.domains = ["com.example"]
    y = net.node("Relu", net.input(), domain="com.example")
    assert find(net.model(y, check=False, shape=["N", 2, 6, 6])).sites == ()


@pytest.mark.parametrize(
    ("path", "kind", "known"),
    [
        ("models/digits_cnn_float.onnx", "relu", [True] * 4),
        ("models/mnist_cnn_float.onnx", "relu", [True, True, False]),
        ("models/digits_cnn_int8_asymmetric.onnx", "quantizer", [False] * 4),
        ("onnx2snn/demo_data/digits_cnn_int8.onnx", "quantizer", [False] * 4),
    ],
)
def test_our_own_networks(pytestconfig, find, check_values, path, kind, known):
    found = find(onnx.load(pytestconfig.rootpath / path))
    activations = [s for s in found.sites if s.kind != "average_pool"]
    assert [s.kind for s in activations] == [kind] * len(known)
    assert [s.mean is not None for s in activations] == known
    size = 28 if "mnist" in path else 8
    check_values(found, np.random.default_rng(0).uniform(0, 1, (3, 1, size, size)).astype("f"))


@pytest.mark.parametrize(
    ("upper", "reader", "is_site"),
    [
        (6.0, "product", False),
        (6.0, "product with a constant", True),
        (6.0, "product and layer", True),
        (6.0, "product and output", True),
        (None, "product", True),
    ],
)
def test_a_gate_is_no_population(new_net, find, upper, reader, is_site):
    net = new_net()
    x = net.conv(net.relu(net.input(), name="a"), (2, 2, 1, 1))
    bounds = [net.const(0.0)] + ([] if upper is None else [net.const(upper)])
    gate = net.node("Clip", x, *bounds, name="gate")
    y = net.node("Mul", gate, net.const(0.5) if "constant" in reader else x)
    y = net.node("Add", y, net.conv(gate, (2, 2, 1, 1))) if "layer" in reader else y
    end = net.relu(net.conv(y, (2, 2, 1, 1)), name="end")
    found = find(net.model(end, *([gate] if "output" in reader else [])))
    assert [s.name for s in found.sites] == (["a", "gate", "end"] if is_site else ["a", "end"])
