"""Where values enter time and leave it."""

import numpy as np
import onnx
import pytest

import onnx2snn
from onnx2snn_runtime import SpikingSession

SIZE = (2, 6, 6)


def images(net, n=3):
    return net.rng.normal(size=(n, *SIZE)).astype(np.float32)


def shown(model):
    """Operators in their order, without the ones that only move amplitudes."""
    return [n.op_type for n in model.graph.node if not n.name.endswith(".scale")]


def rows(model, feeds, tensors):
    """The length of axis 0 of every node's first output, by node name."""
    made = {n.name: n.output[0] for n in model.graph.node}
    values = tensors(model, feeds, made.values())
    return {name: len(values[tensor]) for name, tensor in made.items()}


def test_a_chain(new_net, by_maximum, tensors):
    net = new_net()
    x = net.conv(net.input(), (3, 2, 3, 3), name="first")
    x = net.relu(x, name="a")
    x = net.relu(net.conv(x, (3, 3, 3, 3), name="inner"), name="b")
    x = net.node("Flatten", x, name="flat")
    x = net.node("Softmax", net.gemm(x, (12, 5), name="last"), axis=1, name="soft")
    spiking = by_maximum(net.model(x), images(net), timesteps=7).model
    assert shown(spiking) == [
        "Conv", "DirectEncode", "IntegrateFire", "Conv", "IntegrateFire", "SpikeDecode",
        "Flatten", "Gemm", "Softmax",
    ]  # fmt: skip
    got = rows(spiking, images(net, 3), tensors)
    analog = {k: got[k] for k in ("first", "flat", "last", "soft")}
    assert set(analog.values()) == {3}
    assert {k: got[k] for k in ("a", "inner", "b")} == {"a": 21, "inner": 21, "b": 21}
    shapes = {v.name: v.type.tensor_type.shape.dim for v in spiking.graph.value_info}
    declared = {name: shape[0].dim_param for name, shape in shapes.items() if shape}
    assert declared["first_out"] == "N"
    assert declared["a.spikes"] == "T*N"
    assert declared["a.v_final"] == "N"


def test_the_first_layer_is_computed_once_for_a_sample(new_net, by_maximum, tensors):
    """The encoder stands behind all that no spike reaches: several layers, other operators."""
    net = new_net()
    x = net.node("Sigmoid", net.conv(net.input(), (3, 2, 3, 3), name="first"), name="sigmoid")
    x = net.node("MaxPool", net.conv(x, (3, 3, 1, 1), name="second"), kernel_shape=[2, 2])
    x = net.relu(x, name="a")
    spiking = by_maximum(net.model(net.conv(x, (2, 3, 1, 1))), images(net)).model
    ops = shown(spiking)
    assert ops[:6] == ["Conv", "Sigmoid", "Conv", "MaxPool", "DirectEncode", "IntegrateFire"]
    assert ops.count("DirectEncode") == 1


def test_a_population_at_both_ends(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.relu(net.conv(net.relu(net.input(), name="a"), (3, 2, 3, 3), name="c"), name="b")
    model = net.model(x)
    x = images(net)
    spiking = by_maximum(model, x).model
    assert shown(spiking) == [
        "DirectEncode", "IntegrateFire", "Conv", "IntegrateFire", "SpikeDecode",
    ]  # fmt: skip
    assert [o.name for o in spiking.graph.output] == ["b_out"]
    assert error_at(spiking, run_stock(model, x), x, 512) < 0.02


def test_one_encoder_for_two_readers_and_one_readout(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.input()
    a, b = net.relu(x, name="a"), net.node("Clip", x, net.const(0.0), net.const(0.5), name="b")
    left, right = net.conv(a, (3, 2, 1, 1)), net.conv(a, (3, 2, 1, 1))
    c = net.conv(b, (3, 2, 1, 1))
    model = net.model(net.node("Add", left, c), right)
    x = images(net)
    spiking = by_maximum(model, x).model
    ops = shown(spiking)
    assert (ops.count("DirectEncode"), ops.count("SpikeDecode")) == (1, 2)
    assert error_at(spiking, run_stock(model, x), x, 512) < 0.02


def test_a_skip_from_the_input_is_encoded_for_itself(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.input()
    skip = net.conv(x, (3, 2, 1, 1), name="skip")
    y = net.relu(net.conv(x, (3, 2, 1, 1), name="first"), name="a")
    y = net.node("Add", net.conv(y, (3, 3, 1, 1), name="inner"), skip, name="sum")
    model = net.model(net.conv(net.relu(y, name="b"), (2, 3, 1, 1)))
    x = images(net)
    spiking = by_maximum(model, x).model
    encoders = [n.input[0] for n in spiking.graph.node if n.op_type == "DirectEncode"]
    assert sorted(encoders) == ["first_out", "skip_out"]
    assert error_at(spiking, run_stock(model, x), x, 512) < 0.02


def test_an_output_in_the_middle(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.relu(net.input(), name="a")
    y = net.conv(x, (3, 2, 1, 1), name="inner")
    z = net.conv(net.relu(y, name="b"), (2, 3, 1, 1), name="last")
    model = net.model(x, y, z)
    x = images(net)
    spiking = by_maximum(model, x).model
    assert [o.name for o in spiking.graph.output] == ["a_out", "inner_out", "last_out"]
    assert shown(spiking).count("SpikeDecode") == 3
    assert error_at(spiking, run_stock(model, x), x, 512) < 0.02


def test_an_output_that_no_spike_reaches(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 1, 1), name="first")
    model = net.model(y, net.conv(net.relu(y), (2, 3, 1, 1), name="last"))
    x = images(net)
    spiking = by_maximum(model, x).model
    assert [o.name for o in spiking.graph.output] == ["first_out", "last_out"]
    wanted = run_stock(model, x)
    np.testing.assert_allclose(SpikingSession(spiking).run(x)["first_out"], wanted[0], rtol=1e-5)
    assert error_at(spiking, wanted, x, 512) < 0.02


def test_two_inputs(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    a = net.relu(net.conv(net.input("left"), (3, 2, 3, 3)), name="a")
    b = net.conv(net.input("right", ("N", 1, 4, 4)), (3, 1, 1, 1))
    y = net.node("Add", net.conv(a, (3, 3, 1, 1)), b)
    model = net.model(net.conv(net.relu(y, name="b"), (2, 3, 1, 1)))
    feeds = {
        "left": images(net),
        "right": net.rng.normal(size=(3, 1, 4, 4)).astype(np.float32),
    }
    spiking = by_maximum(model, feeds).model
    assert [i.name for i in spiking.graph.input] == ["left", "right", "timesteps"]
    assert error_at(spiking, run_stock(model, feeds), feeds, 512) < 0.02


def island(net, op):
    """A node in the middle that cannot be converted, or shall not be."""
    x = net.relu(net.conv(net.input(), (3, 2, 3, 3), bias=True), name="a")
    x = net.conv(x, (3, 3, 1, 1), bias=True, name="before")
    if op == "MaxPool":
        x = net.node("MaxPool", x, kernel_shape=[2, 2], name="kept")
    elif op == "Softmax":
        x = net.node("Softmax", x, axis=1, name="kept")
    else:
        x = net.node(op, x, name="kept")
    x = net.relu(net.conv(x, (3, 3, 1, 1), bias=True, name="behind"), name="b")
    return net.model(net.conv(x, (2, 3, 1, 1)))


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "MaxPool", "Softmax", "Abs"])
def test_an_island_works_on_means(new_net, run_stock, by_maximum, error_at, op):
    net = new_net()
    model, x = island(net, op), images(net)
    result = by_maximum(model, x, keep_analog=["kept"])
    ops = shown(result.model)
    at = ops.index("SpikeDecode")
    # The readout moves before "before", the encoder behind "behind".
    assert ops[at:] == [
        "SpikeDecode", "Conv", op, "Conv", "DirectEncode", "IntegrateFire", "SpikeDecode", "Conv",
    ]  # fmt: skip
    (told,) = [d for d in result.diagnostics if d.code == "KEPT_ANALOG"]
    assert told.node == f"'kept' ({op})"
    errors = [error_at(result.model, run_stock(model, x), x, t) for t in (8, 512)]
    assert errors[1] < min(0.02, errors[0] / 4)


def test_a_layer_can_be_an_island(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.relu(net.input(), name="a")
    x = net.relu(net.conv(x, (3, 2, 1, 1), name="kept"), name="b")
    model = net.model(net.conv(x, (2, 3, 1, 1)))
    x = images(net)
    spiking = by_maximum(model, x, keep_analog=["kept"]).model
    assert shown(spiking)[1:5] == ["IntegrateFire", "SpikeDecode", "Conv", "DirectEncode"]
    assert error_at(spiking, run_stock(model, x), x, 512) < 0.02


def test_a_residual_block_around_an_island(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.relu(net.input(), name="a")
    y = net.node("Sigmoid", net.conv(x, (2, 2, 1, 1)), name="kept")
    y = net.relu(net.node("Add", y, x, name="sum"), name="b")
    model = net.model(net.conv(y, (2, 2, 1, 1)))
    x = images(net)
    spiking = by_maximum(model, x, keep_analog=["kept"]).model
    assert error_at(spiking, run_stock(model, x), x, 512) < 0.02


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_a_signed_clip_converges(new_net, run_stock, by_maximum, error_at, size):
    net = new_net()
    x = net.conv(net.input(), (3, 2, 3, 3), bias=True)
    x = net.node("Clip", x, net.const(-size), net.const(size), name="a")
    x = net.conv(x, (3, 3, 3, 3), pads=[1] * 4, bias=True)
    x = net.node("Clip", x, net.const(-size), net.const(size), name="b")
    model = net.model(net.conv(x, (2, 3, 1, 1), bias=True))
    x = images(net)
    result = by_maximum(model, x)
    told = [d for d in result.diagnostics if d.code == "OFFSET_KEPT"]
    # The layer between takes the offset of 'a' into its bias; it receives unit spikes.
    assert [d.node for d in told] == ["'b'"]
    spikes = next(n.output[0] for n in result.model.graph.node if n.name == "a")
    assert any(spikes in n.input for n in result.model.graph.node if n.op_type == "Conv")
    assert all(f"above {-size:g}" in d.what for d in told)
    errors = [error_at(result.model, run_stock(model, x), x, t) for t in (8, 512)]
    assert errors[1] < min(0.02, errors[0] / 4)


def test_a_population_of_a_spiking_source_with_an_offset(new_net, run_stock, by_maximum, error_at):
    net = new_net()
    x = net.node("Clip", net.input(), net.const(0.5), net.const(1.5), name="a")
    model = net.model(net.conv(x, (2, 2, 3, 3)))
    x = images(net)
    assert error_at(by_maximum(model, x).model, run_stock(model, x), x, 512) < 0.02


def quantized(net, x, scale, zero=0, dtype=np.uint8, name=None):
    given = [net.const(scale), net.const(np.array(zero, dtype), dtype=None)]
    q = net.node("QuantizeLinear", x, *given, name=name)
    return net.node("DequantizeLinear", q, *given, name=f"{name}_d")


def test_quantizers_at_both_ends_stay_and_passive_ones_go(new_net, run_stock, error_at):
    net = new_net(opset=17)
    x = quantized(net, net.input(), 0.03, 128, name="in")
    a = quantized(net, net.relu(net.conv(x, (3, 2, 3, 3)), name="a"), 0.01, name="qa")
    y = quantized(net, net.conv(a, (3, 3, 1, 1)), 0.02, 128, name="passive")
    y = quantized(net, net.relu(net.node("Add", y, a), name="b"), 0.02, name="qb")
    y = quantized(net, net.conv(y, (2, 3, 1, 1)), 0.02, 128, name="out")
    model = net.model(y)
    result = onnx2snn.convert(model, 8, threshold="quantizer")
    names = {n.name for n in result.model.graph.node}
    assert {"in", "in_d", "out", "out_d"} <= names
    assert not {"qa", "passive", "passive_d", "qb"} & names
    (told,) = [d for d in result.diagnostics if d.code == "QUANTIZERS_DROPPED"]
    assert told.what.startswith("1 quantizers")
    x = images(net)
    assert error_at(result.model, run_stock(model, x), x, 1024) < 0.05


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK"])
def test_what_stands_at_the_end(new_net, run_stock, by_maximum, end):
    net = new_net()
    y = net.relu(net.conv(net.input(), (4, 2, 3, 3)), name="a")
    y = net.gemm(net.node("Flatten", y), (64, 9), name="last")
    if end == "ArgMax":
        model = net.model(net.node("ArgMax", y, axis=1, keepdims=0), dtype=7)
    elif end == "TopK":
        net.node("TopK", y, net.ints(3), axis=1, outputs=2, name="top")
        model = net.model("top_out", "top_out1", check=False, shape=["N", 3])
        model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    else:
        model = net.model(net.node(end, y, axis=1) if "max" in end else net.node(end, y))
    x = images(net, 8)
    spiking = by_maximum(model, x).model
    assert shown(spiking)[-4:] == ["SpikeDecode", "Flatten", "Gemm", end]
    got, wanted = list(SpikingSession(spiking).run(x, 1024).values()), run_stock(model, x)
    for a, b in zip(got, wanted, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype == np.int64:
            np.testing.assert_array_equal(a[..., :1], b[..., :1])
        else:
            np.testing.assert_allclose(a, b, atol=0.03)
