"""Pairs whose two halves have different parameters."""

import numpy as np
import pytest

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise
from onnx2snn.frontend.integer_moves import same_grid


def pair(net, x, one, other, **attributes):
    """Q and DQ, each with its scale and zero point; None leaves the zero point out."""
    grids = [
        [net.const(s)] + ([] if z is None else [net.const(np.asarray(z, np.uint8), dtype=None)])
        for s, z in (one, other)
    ]
    q = net.node("QuantizeLinear", x, *grids[0], **attributes)
    return net.node("DequantizeLinear", q, *grids[1], **attributes)


@pytest.mark.parametrize("other", [(0.5, 3), (0.25, 7), (2.0, 0), (0.125, None)])
def test_other_numbers(new_net, same_function, other):
    net = new_net()
    model = net.model(pair(net, net.relu(net.input()), (0.25, 3), other))
    feeds = net.rng.normal(0, 5, size=(2, 2, 6, 6)).astype(np.float32)
    graph = same_function(model, feeds, tolerance=0).graph
    quantizer, reader = (
        next(n for n in graph.nodes if n.op == op) for op in ("QuantizeLinear", "DequantizeLinear")
    )
    assert same_grid(quantizer, reader)


@pytest.mark.parametrize(
    ("one", "other", "attributes"),
    [
        ((0.25, 0), (0.25, None), {}),
        ((0.25, None), (0.25, 0), {}),
        (([0.25], [3]), (0.25, 3), {}),
        (([0.25, 0.5], [3, 4]), ([0.25, 0.5], [3, 4]), {"axis": 1}),
    ],
)
def test_the_same_in_other_words(new_net, same_function, ops_of, one, other, attributes):
    net = new_net()
    model = net.model(pair(net, net.input(), one, other, **attributes))
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    canonical = same_function(model, feeds, tolerance=0)
    assert ops_of(canonical) == ["QuantizeLinear", "DequantizeLinear"]


def test_other_numbers_by_channel(new_net):
    net = new_net()
    one, other = ([0.25, 0.5], [3, 4]), ([0.5, 0.5], [3, 4])
    model = net.model(pair(net, net.input(), one, other, axis=1))
    with pytest.raises(
        UnsupportedModelError, match=r"\(DequantizeLinear\): .*not the one of its q"
    ):
        canonicalise(model)
