"""onnxruntime's integer kernels, bit for bit: the tables against the operators themselves."""

import platform
from fractions import Fraction
from math import inf
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from onnx2snn.exact.kernels import Lookup, Requantized, operands
from onnx2snn.exact.monotone import Clipped, Leaky
from onnx2snn.exact.quantizer import Quantizer

EXAMPLES = settings(max_examples=25)
#: Of the first operand; larger weights may saturate in 16 bits where the CPU has no VNNI.
MOST = 60


def has_avx2():
    info = Path("/proc/cpuinfo")
    return platform.machine() in {"x86_64", "AMD64"} and (
        not info.exists() or "avx2" in info.read_text()
    )


of_this_cpu = pytest.mark.skipif(
    not has_avx2(), reason="the formulas are those of onnxruntime's x86 kernels with AVX2"
)


def quantizer(scale, zero, dtype=np.int8):
    info = np.iinfo(dtype)
    return Quantizer(
        None, (Fraction(float(scale)),), (int(zero),), info.min, info.max, np.dtype(dtype)
    )


def applied(table, acc, zero):
    """Codes of accumulators, channels on the last axis, zero point added."""
    rows = np.broadcast_to(table.tau, (acc.shape[-1], table.tau.shape[1]))
    steps = [np.searchsorted(t, acc[..., c], side="right") for c, t in enumerate(rows)]
    return np.stack(steps, axis=-1) + table.s_min + zero


def run(op, inputs, domain="com.microsoft", **attributes):
    """One node in onnxruntime; an absent input is None. The type of the result is y's zero's."""
    feeds = {f"in{i}": np.asarray(a) for i, a in enumerate(inputs) if a is not None}
    names = ["" if a is None else f"in{i}" for i, a in enumerate(inputs)]
    kind = helper.np_dtype_to_tensor_dtype(np.asarray(inputs[-1]).dtype)
    if op in {"QLinearConv", "QGemm"} or op == "QLinearMatMul":
        kind = helper.np_dtype_to_tensor_dtype(feeds["in0"].dtype)
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in feeds.items()
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], domain=domain, **attributes)],
        "one",
        infos,
        [helper.make_tensor_value_info("y", kind, None)],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)[0].astype(np.int64)


SCALES = st.one_of(
    st.floats(2.0**-9, 2.0, width=32),
    st.sampled_from([2.0**-b for b in range(10)]),  # ties
)
DTYPES = st.sampled_from([np.int8, np.uint8])


@st.composite
def numbers(draw):
    """Scales and zero points of input, weights (four channels) and output, and a generator."""
    dtype = draw(DTYPES)
    info = np.iinfo(dtype)
    zeros = [draw(st.integers(info.min, info.max)) for _ in range(2)]
    shared = draw(st.booleans())
    scales = [draw(SCALES) for _ in range(4)]
    return {
        "dtype": dtype,
        "x_scale": np.float32(draw(SCALES)),
        "y_scale": np.float32(draw(SCALES)),
        "w_scales": np.float32(scales[:1] if shared else scales),
        "x_zero": dtype(zeros[0]),
        "y_zero": dtype(zeros[1]),
        "rng": np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
    }


def layer(n, bias):
    """Input, weights [K, 4], accumulators, and their kernel."""
    x = n["rng"].integers(np.iinfo(n["dtype"]).min, np.iinfo(n["dtype"]).max + 1, (900, 7))
    w = n["rng"].integers(-MOST, MOST + 1, (7, 4)).astype(np.int8)
    acc = (x - int(n["x_zero"])) @ w.astype(np.int64)
    biases = n["rng"].integers(-5000, 5001, 4) if bias else np.zeros(1, np.int64)
    kernel = Requantized(
        tuple(n["x_scale"] * s for s in n["w_scales"]), tuple(int(b) for b in biases)
    )
    return x.astype(n["dtype"]), w, acc, biases, kernel


def table_of(n, kernel, acc):
    target = quantizer(n["y_scale"], n["y_zero"], n["dtype"])
    return kernel.table(target, (), int(np.abs(acc).max()))


@of_this_cpu
@EXAMPLES
@given(n=numbers())
def test_matmul(n):
    x, w, acc, _, kernel = layer(n, bias=False)
    got = run(
        "QLinearMatMul",
        [x, n["x_scale"], n["x_zero"], w, n["w_scales"], np.zeros(len(n["w_scales"]), np.int8),
         n["y_scale"], n["y_zero"]],
        domain="",
    )  # fmt: skip
    want = applied(table_of(n, kernel, acc), acc, int(n["y_zero"]))
    np.testing.assert_array_equal(got, want)


@of_this_cpu
@EXAMPLES
@given(n=numbers(), bias=st.booleans())
def test_gemm(n, bias):
    x, w, acc, biases, kernel = layer(n, bias)
    got = run(
        "QGemm",
        [x, n["x_scale"], n["x_zero"], w, n["w_scales"], np.zeros(len(n["w_scales"]), np.int8),
         biases.astype(np.int32) if bias else None, n["y_scale"], n["y_zero"]],
    )  # fmt: skip
    want = applied(table_of(n, kernel, acc), acc, int(n["y_zero"]))
    np.testing.assert_array_equal(got, want)


@of_this_cpu
@EXAMPLES
@given(n=numbers(), bias=st.booleans(), depthwise=st.booleans())
def test_conv(n, bias, depthwise):
    x, w, acc, biases, kernel = layer(n, bias)
    image = x.T.reshape(1, 7, 30, 30)
    weights, group = w.T.reshape(4, 7, 1, 1), 1
    if depthwise:  # one weight for each of the first four channels
        image, weights, group = image[:, :4], weights[:, :1], 4
        acc = (x[:, :4].astype(np.int64) - int(n["x_zero"])) * w[0].astype(np.int64)
    got = run(
        "QLinearConv",
        [image, n["x_scale"], n["x_zero"], weights, n["w_scales"],
         np.zeros(len(n["w_scales"]), np.int8), n["y_scale"], n["y_zero"],
         *([biases.astype(np.int32)] if bias else [])],
        domain="", group=group,
    )  # fmt: skip
    want = applied(table_of(n, kernel, acc), acc, int(n["y_zero"]))
    np.testing.assert_array_equal(got.reshape(4, 900).T, want)


@of_this_cpu
@EXAMPLES
@given(n=numbers(), whole=st.booleans())
def test_average_of_an_image(n, whole):
    rng, info = n["rng"], np.iinfo(n["dtype"])
    sides = [(1, 1), (3, 5), (8, 8), (7, 7)][int(rng.integers(4))]
    assume(n["x_scale"] < 200 * n["y_scale"])  # onnxruntime refuses larger factors
    x = rng.integers(info.min, info.max + 1, (50, 16, *sides)).astype(n["dtype"])
    given = [x, n["x_scale"], n["x_zero"], n["y_scale"], n["y_zero"]]
    if whole:
        got = run("QLinearGlobalAveragePool", given, channels_last=0)
    else:
        got = run("QLinearAveragePool", given, kernel_shape=sides)
    acc = (x.astype(np.int64) - int(n["x_zero"])).sum(axis=(2, 3))
    places = sides[0] * sides[1]
    table = table_of(n, Requantized((n["x_scale"],), places=places), acc)
    np.testing.assert_array_equal(got.reshape(acc.shape), applied(table, acc, int(n["y_zero"])))


@of_this_cpu
@EXAMPLES
@given(n=numbers(), alike=st.booleans())
def test_sum_of_codes(n, alike):
    """All 65,536 pairs."""
    info = np.iinfo(n["dtype"])
    codes = np.arange(info.min, info.max + 1)
    a, b = np.repeat(codes, 256), np.tile(codes, 256)
    scale_b = n["x_scale"] if alike else n["w_scales"][0]
    zero_b = n["dtype"](n["rng"].integers(info.min, info.max + 1))
    got = run(
        "QLinearAdd",
        [a.astype(n["dtype"]), n["x_scale"], n["x_zero"], b.astype(n["dtype"]), scale_b, zero_b,
         n["y_scale"], n["y_zero"]],
    )  # fmt: skip
    first, second = (
        quantizer(s, z, n["dtype"]) for s, z in ((n["x_scale"], n["x_zero"]), (scale_b, zero_b))
    )
    result = quantizer(n["y_scale"], n["y_zero"], n["dtype"])
    parts = operands(first, second, result)
    acc = parts.factor * (a - int(n["x_zero"])) + parts.entries[b - int(zero_b) - parts.lowest]
    table = parts.kernel.table(result, (), int(np.abs(acc).max()))
    np.testing.assert_array_equal(got, applied(table, acc[:, None], int(n["y_zero"]))[:, 0])


@EXAMPLES
@given(n=numbers(), low=st.sampled_from([-inf, 0.0, -1.5]), high=st.sampled_from([inf, 2.0]))
def test_lookup(n, low, high):
    """DequantizeLinear, Clip, QuantizeLinear in float32."""
    info = np.iinfo(n["dtype"])
    codes = np.arange(info.min, info.max + 1)
    values = run_floats(codes.astype(n["dtype"]), n, low, high)
    acc = codes - int(n["x_zero"])
    bounds = [v if np.isinf(v) else Fraction(v) for v in (low, high)]
    target = quantizer(n["y_scale"], n["y_zero"], n["dtype"])
    table = Lookup(n["x_scale"]).table(target, (Clipped(*bounds),), int(np.abs(acc).max()))
    np.testing.assert_array_equal(values, applied(table, acc[:, None], int(n["y_zero"]))[:, 0])


def run_floats(codes, n, low, high):
    """The three nodes, one after the other, in onnxruntime."""
    nodes = [
        helper.make_node("DequantizeLinear", ["c", "xs", "xz"], ["v"]),
        helper.make_node("Clip", ["v", "low", "high"], ["w"]),
        helper.make_node("QuantizeLinear", ["w", "ys", "yz"], ["y"]),
    ]
    feeds = {
        "c": codes, "xs": n["x_scale"], "xz": n["x_zero"], "ys": n["y_scale"], "yz": n["y_zero"],
        "low": np.float32(low), "high": np.float32(high),
    }  # fmt: skip
    kind = helper.np_dtype_to_tensor_dtype(codes.dtype)
    infos = [
        helper.make_tensor_value_info(
            k, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), np.shape(v)
        )
        for k, v in feeds.items()
    ]
    graph = helper.make_graph(
        nodes, "three", infos, [helper.make_tensor_value_info("y", kind, None)]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {k: np.asarray(v) for k, v in feeds.items()})[0].astype(np.int64)


def test_no_kernel_runs():
    """Where an activation is more than the quantizer's own saturation, or scales differ."""
    target = quantizer(0.5, -128)
    unequal = Quantizer(None, (Fraction(1), Fraction(2)), (0,), -128, 127, np.dtype(np.int8))
    kernels = [
        Requantized((np.float32(0.25),)), operands(target, target, target).kernel,
        Lookup(np.float32(0.25)),
    ]  # fmt: skip
    relu, leaky = Clipped(Fraction(0), inf), Leaky((Fraction(1, 2),))
    for kernel in kernels:
        assert kernel.table(target, (relu,), 100) is not None
        assert kernel.table(target, (leaky,), 100) is None
        assert kernel.table(unequal, (), 100) is None
    for kernel in kernels[:2]:
        assert kernel.table(target, (Clipped(Fraction(1), inf),), 100) is None
        assert kernel.table(quantizer(0.5, 0), (relu,), 100) is None
    assert operands(unequal, target, target) is None
