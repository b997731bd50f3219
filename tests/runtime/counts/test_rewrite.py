"""Counts against steps: random networks of whole numbers, to the last bit; and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.counts import NotCountableError
from onnx2snn_runtime.counts.rewrite import rewrite

SEEDS = st.integers(0, 2**32 - 1)
STEPS = st.integers(1, 9)
SAMPLES = st.integers(1, 3)
FAST = ("stock", "native")
ENCODERS = ("direct", "rate", "once", "unary", "averaged", "isi", "poisson", "ice")
BINARY = ("RateEncode", "PoissonEncode", "ChannelExpand")


def encode(net, x, shape):
    """One of all encoders, behind which values are whole numbers."""
    x, shape = _encode(net, net.rng.choice(ENCODERS), x, shape)
    if net.nodes[-1].op_type in BINARY and net.either():
        x, shape = net.pool(x, shape, "SpikeAveragePool")
    return x, shape


def _encode(net, kind, x, shape):
    if kind == "direct":
        return net.spiking("DirectEncode", [x], 1), shape
    if kind in {"once", "unary", "averaged"}:
        codes = net.onnx("Cast", [x], to=TensorProto.INT64)
        return net.spiking("CodeEncode", [codes, net.const(0, np.int64)], emission=kind), shape
    low, high = net.const([-1.0]), net.const([3.0])
    if kind == "rate":
        return net.spiking("RateEncode", [x, low, high], 1, quantize="nearest"), shape
    if kind == "ice":
        train = net.spiking("ChannelExpand", [x, low, high], 1, phi=1, quantize="floor")
        return train, (3 * shape[0], *shape[1:])
    if kind == "isi":
        return net.spiking("IsiEncode", [x, high], 1, alpha=1.0, silent_steps=0), shape
    axes = net.const([1, 2, 3], np.int64)
    index = net.onnx("Cast", [net.onnx("ReduceSum", [x, axes], keepdims=0)], to=TensorProto.INT64)
    return net.spiking("PoissonEncode", [x, index, net.const(0, np.int64)], seed=3), shape


def averaged_network(net):
    """Encoder, layers of averaging neurons with shortcuts and pools, a linear layer, readout."""
    x, shape = encode(net, net.input("x", 2, 5, 6), (2, 5, 6))
    for _ in range(net.whole(1, 3)):
        spikes, before = x, shape
        x, shape = net.conv(x, shape)
        if shape == before:
            x, shape = net.shortcut(x, shape, spikes, 4)
        x = net.averaged(x, shape)
        if net.either() and min(shape[1:]) > 1:
            x, shape = net.pool(x, shape, "SpikeAveragePool")
        if net.either() and min(shape[1:]) > 1:
            x, shape = net.pool(x, shape, "SpikeMaxPool", code="count")
    mode = str(net.rng.choice(["sum", "mean"]))
    x = net.onnx("Flatten", [x], axis=1)
    weights = [net.const(net.whole(-3, 3, int(np.prod(shape)), 3)), net.const(net.whole(-3, 3, 3))]
    if net.either():
        return net.model(net.readout(net.onnx("Gemm", [x, *weights]), mode))
    # Of a mean the layer's sums would be rounded, in another order by every backend.
    return net.model(net.onnx("Gemm", [net.readout(x, "sum"), *weights]))


def exact_network(net, emission):
    """Codes, staircases, sums beyond float32, pools and tables of single codes."""
    most = min(net.T if emission == "averaged" else 2**net.T - 1, 9)
    code = "radix" if emission == "radix" else "count"
    x = net.onnx("Cast", [net.input("x", 2, 4, 5)], to=TensorProto.INT64)
    ends = [net.const(v, np.int64) for v in (-most, most)]
    x = net.onnx("Clip", [x, *ends])
    x, shape = net.spiking("CodeEncode", [x, net.const(0, np.int64)], emission=emission), (2, 4, 5)
    for _ in range(net.whole(1, 3)):
        x, shape = net.conv(x, shape, bias=False)
        x = net.staircase(x, shape, emission, 200, 30)
        if net.either() and min(shape[1:]) > 1:
            x, shape = net.pool(x, shape, "SpikeMaxPool", code=code)
        if net.either():
            scale, other = (net.const([int(s)]) for s in net.whole(1, 2**20, 2))
            parts = [net.onnx("Mul", [x, s]) for s in (scale, other)]
            parts = [net.onnx("Cast", [p], to=TensorProto.INT64) for p in parts]
            if net.either():
                table = net.const(net.whole(-(2**30), 2**30, 2 * 4096 + 1), np.int64)
                states = [table, net.const([-4096], np.int64), net.const([0], np.int64)]
                parts[1] = net.spiking("TableSynapse", [x, *states], code=code)
            x = net.staircase(net.onnx("Add", parts), shape, emission, 2**40, 2**22)
    x = net.onnx("Flatten", [x], axis=1)
    x = net.onnx("MatMul", [x, net.const(net.whole(-3, 3, int(np.prod(shape)), 3))])
    return net.model(net.readout(x, "radix" if emission == "radix" else "sum"))


def assert_counts_are_steps(model, images, same_bits):
    steps = SpikingSession(model, backend="reference").totals(images)
    for backend in FAST:
        session = SpikingSession(model, backend=backend)
        assert session.is_counted
        found = session.totals(images)
        assert found.outputs.keys() == steps.outputs.keys() == session.run(images).keys()
        for name, values in steps.outputs.items():
            assert same_bits(found.outputs[name], values)
            assert same_bits(session.run(images)[name], values)
        for name, rate in steps.rates.items():
            assert found.rates[name] == pytest.approx(rate, rel=1e-5, abs=1e-7)


@settings(max_examples=40)
@given(seed=SEEDS, T=STEPS, samples=SAMPLES)
def test_averaging_neurons(random_builder, same_bits, seed, T, samples):
    net = random_builder(seed, T)
    images = net.whole(-2, 4, samples, 2, 5, 6).astype(np.float32)
    assert_counts_are_steps(averaged_network(net), images, same_bits)


@settings(max_examples=40)
@given(seed=SEEDS, T=STEPS, samples=SAMPLES, emission=st.sampled_from(["averaged", "radix"]))
def test_staircases(random_builder, same_bits, seed, T, samples, emission):
    net = random_builder(seed, T)
    images = net.whole(-9, 9, samples, 2, 4, 5).astype(np.float32)
    assert_counts_are_steps(exact_network(net, emission), images, same_bits)


def small(net, *, theta=(2.0,), v_init=(1.0,), mode="sum", **readout):
    """Image, encoder, neurons, readout: what is counted unless an argument changes it."""
    x = net.spiking("DirectEncode", [net.input("x", 2)], 1)
    x = net.spiking("AveragedIntegrateFire", [x, net.const(theta), net.const(v_init)])
    return net.readout(x, mode, **readout)


def test_a_small_network_by_hand(builder):
    net = builder(4, fixed=False)
    session = SpikingSession(net.model(small(net)))
    assert session.is_counted
    # T·x + 1 over 2: 0.5, 2.5, 6.5 (at most 4) and below 0.
    answer = session.run(np.array([[0, 1], [3, -1]], np.float32))
    assert next(iter(answer.values())).tolist() == [[0, 2], [4, 0]]
    # The same file at T = 1: 1/2, 1, 2 (at most 1), below 0.
    answer = session.run(np.array([[0, 1], [3, -1]], np.float32), 1)
    assert next(iter(answer.values())).tolist() == [[0, 1], [1, 0]]


def test_plain_neurons_are_not_counted(network, images, same_bits):
    assert not SpikingSession(network()).is_counted


def leave_out_state(net):
    x = small(net)
    return net.model(x, net.nodes[1].output[1])


def from_codes(net, emission, mode, **given):
    codes = net.onnx("Cast", [net.input("x", 2)], to=TensorProto.INT64)
    x = net.spiking(
        "CodeEncode", [codes, net.const(given.get("t", 0), np.int64)], emission=emission
    )
    states = [net.const(v, np.int64) for v in ([[1, 3]], [0], [given.get("acc", 0)], [0])]
    x = net.spiking("StaircaseFire", [x, *states], 3, emission=given.get("neurons", "averaged"))
    return net.model(net.readout(x, mode))


def pooled(net, encoder, theta, v_init):
    x, _ = _encode(net, encoder, net.input("x", 2, 4, 4), (2, 4, 4))
    places = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 0, 0]}
    x = net.spiking("SpikeAveragePool", [x, net.const([theta]), net.const([v_init])], **places)
    return net.model(net.readout(x, "sum"))


def computed_weights(net):
    x = net.input("x", 2)
    weights = net.onnx("Reshape", [x, net.const([2, -1], np.int64)])
    x = net.spiking("DirectEncode", [x], 1)
    x = net.spiking("AveragedIntegrateFire", [x, net.const([2]), net.const([0])])
    return net.model(net.readout(net.onnx("MatMul", [x, weights]), "sum"))


def with_operator(net, op, *constants, **attributes):
    x = net.spiking("DirectEncode", [net.input("x", 2)], 1)
    x = net.onnx(op, [x, *(net.const(c, np.int64) for c in constants)], **attributes)
    x = net.spiking("AveragedIntegrateFire", [x, net.const([2]), net.const([0])])
    return net.model(net.readout(x, "sum"))


def within_a_branch(net):
    """An If whose branches read the neurons' spikes from outside."""
    x = net.spiking("DirectEncode", [net.input("x", 2)], 1)
    x = net.spiking("AveragedIntegrateFire", [x, net.const([2]), net.const([0])])
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    branch = helper.make_graph(
        [helper.make_node("Identity", [x], ["inner"])], "branch", [], [value]
    )
    y = net.onnx("If", [net.const(True, bool)], then_branch=branch, else_branch=branch)
    return net.model(net.readout(y, "sum"))


REFUSED = {
    "spikes in a branch": (within_a_branch, "no function of sums"),
    "last": (lambda n: n.model(small(n, mode="last")), "reads no sum"),
    "cumulative": (lambda n: n.model(small(n, cumulative=1)), "after every step"),
    "delayed": (lambda n: n.model(small(n, delay=1)), "leaves steps out"),
    "a state is an output": (leave_out_state, "is asked for"),
    "unary": (lambda n: from_codes(n, "once", "sum", neurons="unary"), "no function of"),
    "two codes": (lambda n: from_codes(n, "averaged", "radix"), "speak otherwise"),
    "mean of digits": (lambda n: from_codes(n, "radix", "mean", neurons="radix"), "reads no sum"),
    "accumulator": (lambda n: from_codes(n, "averaged", "sum", acc=1), "begin at zero"),
    "later": (lambda n: from_codes(n, "averaged", "sum", t=1), "begin at step 0"),
    "impulses of any size": (lambda n: from_codes(n, "once", "sum"), "may not fit"),
    "pool of signed spikes": (lambda n: pooled(n, "isi", 4, 0), "single spikes"),
    "pool of codes": (lambda n: pooled(n, "unary", 4, 0), "single spikes"),
    "pool that overflows": (lambda n: pooled(n, "rate", 3, 0), "leave the range"),
    "pool that starts high": (lambda n: pooled(n, "rate", 4, 4), "leave the range"),
    "computed weights": (computed_weights, "computed"),
    "unknown operator": (lambda n: with_operator(n, "Abs"), "no function of sums"),
    "mixed rows": (lambda n: with_operator(n, "Transpose", perm=[1, 0]), "rows"),
    "sum of rows": (lambda n: with_operator(n, "ReduceSum", [0], keepdims=1), "rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_counted_is_simulated(builder, name):
    make, reason = REFUSED[name]
    model = make(builder(3))
    with pytest.raises(NotCountableError, match=reason):
        rewrite(model, 3, rates=False)
    assert not SpikingSession(model, backend="stock").is_counted


def test_the_oracle_never_counts_and_nobody_has_to(builder):
    net = builder(4)
    model = net.model(small(net))
    assert not SpikingSession(model, backend="reference").is_counted
    assert not SpikingSession(model, counts=False).is_counted
