"""auto_pad and ceil_mode become pads, by onnxruntime's arithmetic."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onnx2snn.frontend import canonicalise

SIZES = st.tuples(st.integers(3, 9), st.integers(3, 9))


@settings(max_examples=120)
@given(
    op=st.sampled_from(["Conv", "AveragePool", "MaxPool"]),
    auto=st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]),
    size=SIZES,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.integers(1, 2),
)
def test_auto_pad(new_net, same_function, op, auto, size, kernel, stride, dilation):
    dilation = dilation if op == "Conv" and auto == "VALID" else 1
    # onnxruntime has no dilation under SAME, refuses pools whose windows leave gaps, and crops
    # the input of convolutions whose windows leave wide ones, where we pad nothing.
    gap = 1 if op == "Conv" else 0
    assume(all(s <= k + gap for k, s in zip(kernel, stride, strict=True)))
    assume(all((k - 1) * dilation < n for k, n in zip(kernel, size, strict=True)))
    net = new_net()
    x = net.input(shape=("N", 2, *size))
    weights = [net.random(3, 2, *kernel)] if op == "Conv" else []
    attributes = {"dilations": [dilation] * 2} if op == "Conv" else {}
    y = net.node(op, x, *weights, auto_pad=auto, strides=stride, kernel_shape=kernel, **attributes)
    values = net.rng.normal(size=(2, 2, *size)).astype(np.float32)
    canonical = same_function(net.model(y), values)
    attrs = canonical.graph.nodes[0].attrs
    assert attrs.get("auto_pad", "NOTSET") == "NOTSET"
    assert len(attrs["pads"]) == 4


@settings(max_examples=120)
@given(
    size=SIZES,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    op=st.sampled_from([("AveragePool", 0), ("AveragePool", 1), ("MaxPool", None)]),
    opset=st.sampled_from([11, 18, 19, 22]),
)
def test_ceil_mode(new_net, same_function, size, kernel, stride, pads, op, opset):
    assume(all(p < kernel[i % 2] for i, p in enumerate(pads)))
    net = new_net(opset=opset)
    name, include = op
    y = net.node(
        name,
        net.input(shape=("N", 2, *size)),
        kernel_shape=kernel,
        strides=stride,
        pads=pads,
        ceil_mode=1,
        **({} if include is None else {"count_include_pad": include}),
    )
    model = net.model(y)
    canonical = same_function(model, net.rng.normal(size=(2, 2, *size)).astype(np.float32))
    if canonical.graph.nodes[0].attrs.get("ceil_mode"):
        floored = [
            (n + pads[i] + pads[i + 2] - kernel[i]) // stride[i] + 1 for i, n in enumerate(size)
        ]
        shape = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim[2:]]
        assert shape != floored  # it stays only where it changes something


def test_defaults_are_written_down(new_net, same_function):
    net = new_net()
    model = net.model(net.conv(net.input(), (3, 2, 3, 2)))
    canonical = same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32))
    attrs = canonical.graph.nodes[0].attrs
    assert (attrs["kernel_shape"], attrs["strides"], attrs["pads"]) == ([3, 2], [1, 1], [0] * 4)


@pytest.mark.parametrize("op", ["Conv", "AveragePool", "MaxPool"])
def test_without_a_size_auto_pad_stays(new_net, same_function, op):
    net = new_net()
    x = net.input(shape=("N", 2, "H", "W"))
    weights = [net.random(3, 2, 3, 3)] if op == "Conv" else []
    attributes = {"auto_pad": "SAME_UPPER", "strides": [2, 2], "kernel_shape": [3, 3]}
    y = net.node(op, x, *weights, **attributes)
    values = net.rng.normal(size=(2, 2, 7, 6)).astype(np.float32)
    canonical = same_function(net.model(y), values)
    assert canonical.graph.nodes[0].attrs["auto_pad"] == "SAME_UPPER"


def test_computed_weights_of_unknown_rank_are_left_alone(new_net, ops_of):

    net = new_net()
    x = net.input()
    shape = net.input("shape", ("R",), dtype=7)
    weights = net.node("Reshape", net.const(np.ones((3, 2, 2, 2))), shape)
    model = net.model(net.node("Conv", x, weights), check=False, shape=["N", 3, 5, 5])
    assert "Conv" in ops_of(canonicalise(model))


@pytest.mark.parametrize(("auto", "pads"), [("SAME_UPPER", [1, 2]), ("SAME_LOWER", [2, 1])])
def test_dilation_counts_under_auto_pad(new_net, auto, pads):
    net = new_net()
    x = net.input(shape=("N", 2, 8))  # four places from a reach of five at stride two
    y = net.conv(x, (3, 2, 3), auto_pad=auto, dilations=[2], strides=[2])
    (conv,) = canonicalise(net.model(y)).graph.nodes
    assert conv.attrs["pads"] == pads
