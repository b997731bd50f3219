"""Segments put together again compute what the network computes."""

import numpy as np
import onnx
import pytest

from onnx2snn.calibration.corrected import Runner
from onnx2snn.frontend import canonicalise
from onnx2snn.sites import find_sites
from onnx2snn.sites.segments import find_segments


def cut(model, avgpool="spiking", keep_analog=()):
    canonical = canonicalise(model)
    kept = frozenset(keep_analog)
    sites = find_sites(canonical, avgpool=avgpool, keep_analog=kept, diagnostics=[])
    return canonical, sites, find_segments(canonical, sites, kept)


def chained(segments, feeds, which):
    """All ends of segments, each computed from the ones before."""
    known = dict(feeds)
    for segment in segments:
        runner = Runner(getattr(segment, which), {})
        outputs = runner.run({n: known[n] for n in segment.inputs})
        known[segment.target] = outputs[segment.target if which == "reference" else segment.output]
        if which == "model" and segment.site is not None and not segment.site.is_pool:
            known[segment.target] = np.maximum(known[segment.target], 0)
    return known


def residual(net):
    """Two blocks: an identity shortcut, one with Slice and Pad, a concat, both kinds of pools."""
    x = net.input(shape=("N", 2, 8, 8))
    x = net.relu(net.conv(x, (4, 2, 3, 3), bias=True, pads=[1] * 4), name="first")
    y = net.relu(net.conv(x, (4, 4, 3, 3), bias=True, pads=[1] * 4), name="second")
    y = net.node("Add", net.conv(y, (4, 4, 3, 3), bias=True, pads=[1] * 4, name="main"), x)
    x = net.relu(y, name="third")
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], name="largest")
    short = net.node("Slice", x, net.ints(0, 0), net.ints(9, 9), net.ints(2, 3), net.ints(2, 2))
    short = net.node("Pad", short, net.ints(0, 1, 0, 0, 0, 1, 0, 0))
    y = net.conv(x, (6, 4, 3, 3), pads=[1] * 4, strides=[2, 2])
    x = net.relu(net.node("Add", y, short), name="fourth")
    other = net.relu(net.conv(x, (2, 6, 1, 1)), name="fifth")
    x = net.node("Concat", x, other, axis=1)
    x = net.node("AveragePool", x, kernel_shape=[2, 2])
    return net.model(net.gemm(net.node("Flatten", x), (8, 3), name="last"))


@pytest.mark.parametrize("which", ["model", "reference"])
def test_together_they_are_the_network(which, new_net, run_stock):
    model = residual(new_net())
    x = np.random.default_rng(0).normal(0, 1, (5, 2, 8, 8)).astype(np.float32)
    _, _, segments = cut(model)
    result = chained(segments, {"x": x}, which)[model.graph.output[0].name]
    np.testing.assert_allclose(result, run_stock(model, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_one_for_each_site_in_order(new_net):
    _, sites, segments = cut(residual(new_net()))
    assert [s.name for s in segments if s.site is not None] == [s.name for s in sites]
    known = {"x"}
    for segment in segments:
        assert set(segment.inputs) <= known
        known.add(segment.target)
    assert [s.is_result for s in segments] == [False] * (len(segments) - 1) + [True]


def test_layers_of_a_residual_sum(new_net):
    _, _, segments = cut(residual(new_net()))
    layers = {s.name: [layer.node for layer in s.layers] for s in segments}
    assert layers["third"] == ["main"]
    assert layers["first"] == []  # computed once, before time
    assert layers["largest"] == []
    assert segments[-1].layers[0].op == "Gemm"
    assert segments[-1].layers[0].node == "last"


def test_both_layers_of_a_sum(new_net):
    net = new_net()
    x = net.relu(net.conv(net.input(), (3, 2, 1, 1)))
    y = net.node("Add", net.conv(x, (3, 3, 1, 1), name="a"), net.conv(x, (3, 3, 3, 3), name="b",
                 pads=[1] * 4))  # fmt: skip
    _, _, segments = cut(net.model(net.relu(y, name="end")))
    end = next(s for s in segments if s.name == "end")
    assert [layer.node for layer in end.layers] == ["a", "b"]
    assert end.layers[1].pads == (1, 1, 1, 1)


def test_a_layer_that_others_read_is_left(new_net):
    net = new_net()
    x = net.relu(net.conv(net.input(), (2, 2, 1, 1)))
    shared = net.conv(x, (2, 2, 1, 1), name="shared")
    y = net.relu(net.node("Add", shared, x), name="end")
    _, _, segments = cut(net.model(net.node("Add", y, shared)))
    end = next(s for s in segments if s.name == "end")
    assert end.layers == ()


def test_softmax_is_judged_before(new_net):
    net = new_net()
    x = net.relu(net.gemm(net.input(shape=("N", 4)), (4, 5)))
    logits = net.gemm(x, (5, 3), name="logits")
    _, _, segments = cut(net.model(net.node("Softmax", logits, axis=-1)))
    assert segments[-1].error == logits
    assert segments[-1].output != logits
    assert [layer.node for layer in segments[-1].layers] == ["logits"]


def test_passive_quantizers_are_in_the_reference_only(new_net):
    net = new_net()
    x = net.relu(net.conv(net.input(), (3, 2, 1, 1)))
    y = net.conv(x, (3, 3, 1, 1))
    scale, zero = net.const(0.5), net.const(np.int8(0), dtype=np.int8)
    q = net.node("DequantizeLinear", net.node("QuantizeLinear", y, scale, zero), scale, zero)
    y = net.relu(net.node("Add", q, x), name="end")
    _, _, segments = cut(net.model(net.conv(y, (1, 3, 1, 1))))
    end = next(s for s in segments if s.name == "end")
    ops = [
        {n.op_type for n in onnx.load_from_string(m).graph.node} for m in (end.model, end.reference)
    ]
    assert "QuantizeLinear" not in ops[0]
    assert "QuantizeLinear" in ops[1]
