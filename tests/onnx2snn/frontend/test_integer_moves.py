"""Integers that are moved become real values that are moved."""

import numpy as np
import onnx
import pytest

from onnx2snn.frontend import canonicalise

PAIR = ["QuantizeLinear", "DequantizeLinear"]


def parameters(net, scale=0.25, zero=3, dtype=np.uint8):
    return [net.const(scale), net.const(np.array(zero, dtype), dtype=None)]


MOVES = {
    "MaxPool": lambda n, q: n.node("MaxPool", q, kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
    "Transpose": lambda n, q: n.node("Transpose", q, perm=[0, 2, 3, 1]),
    "Flatten": lambda n, q: n.node("Flatten", q),
    "Slice": lambda n, q: n.node("Slice", q, n.ints(1), n.ints(3), n.ints(2)),
    "Pad": lambda n, q: n.node("Pad", q, n.ints(0, 0, 1, 1, 0, 0, 0, 2)),
    "Pad with 9": lambda n, q: n.node(
        "Pad", q, n.ints(0, 0, 1, 1, 0, 0, 0, 2), n.const(9, dtype=np.uint8)
    ),
    "Pad by reflection": lambda n, q: n.node(
        "Pad", q, n.ints(0, 0, 1, 1, 0, 0, 0, 2), mode="reflect"
    ),
    "Gather": lambda n, q: n.node("Gather", q, n.ints(1, 0, 1), axis=1),
    "DepthToSpace": lambda n, q: n.node("SpaceToDepth", q, blocksize=2),
    "several": lambda n, q: n.node(
        "Flatten", n.node("Transpose", n.node("Identity", q), perm=[0, 1, 3, 2])
    ),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("behind", [0.25, 0.5])
def test_moves_between_quantizer_and_dequantizer(new_net, same_function, ops_of, name, behind):
    """Also where the scale behind the move is another one."""
    net = new_net()
    grid = parameters(net)
    q = net.node("QuantizeLinear", net.relu(net.input()), *grid)
    y = net.node("DequantizeLinear", MOVES[name](net, q), net.const(behind), grid[1])
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    canonical = same_function(net.model(y), feeds, tolerance=0)
    assert ops_of(canonical)[:3] == ["Relu", *PAIR]


def test_concatenation_and_split(new_net, same_function, ops_of):
    net = new_net()
    grid = parameters(net)
    a = net.node("QuantizeLinear", net.input(), *grid)
    b = net.node("QuantizeLinear", net.relu("x"), *grid)
    joined = net.node("Concat", a, b, axis=1)
    node = net.node("Split", joined, net.ints(1, 3), axis=1, outputs=2)
    left, right = (net.node("DequantizeLinear", q, *grid) for q in (node, f"{node}1"))
    feeds = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    canonical = same_function(net.model(left, right), feeds, tolerance=0)
    quantized = [
        t.outputs[0].op for n in canonical.graph.nodes if n.op == PAIR[0] for t in n.outputs
    ]
    assert quantized == [PAIR[1], PAIR[1]]


def test_a_part_that_nobody_reads(new_net, same_function):
    """It becomes real with the others."""
    net = new_net()
    grid = parameters(net)
    joined = net.node("QuantizeLinear", net.input(), *grid)
    left = net.node("Split", joined, net.ints(1, 1), axis=1, outputs=2)
    model = net.model(net.node("DequantizeLinear", left, *grid))
    same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32), tolerance=0)


def test_integers_that_leave_the_network_stay(new_net, run_stock, ops_of):
    net = new_net()
    grid = parameters(net)
    q = net.node("Flatten", net.node("QuantizeLinear", net.input(), *grid))
    model = net.model(net.node("DequantizeLinear", q, *grid), q, shape=["N", 72])
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    canonical = canonicalise(model)
    assert ops_of(canonical) == ["QuantizeLinear", "Flatten", "DequantizeLinear"]
    x = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    for got, wanted in zip(run_stock(canonical.to_model(), x), run_stock(model, x), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("bounds", [(0, 15), (None, 15), (5, None), (5, 9)])
@pytest.mark.parametrize(("zero", "scale"), [(0, 0.25), (6, 0.1), (6, 0.25)])
def test_a_clip_of_integers(new_net, same_function, ops_of, bounds, zero, scale):
    """QCDQ: 8 bits hold the integers of a quantizer of fewer bits."""
    net = new_net()
    grid = parameters(net, scale, zero)
    q = net.node("QuantizeLinear", net.relu(net.input()), *grid)
    ends = ["" if b is None else net.const(b, dtype=np.uint8) for b in bounds]
    y = net.node("DequantizeLinear", net.node("Clip", q, *ends), *grid)
    feeds = net.rng.normal(0, 2, (2, 2, 6, 6)).astype(np.float32)
    canonical = same_function(net.model(y), feeds, tolerance=0)
    assert ops_of(canonical) == ["Relu", "Clip", *PAIR]
    clip = canonical.graph.nodes[1]
    given = {i: t.values for i, t in enumerate(clip.inputs) if i and not t.is_empty()}
    assert given == {
        i: np.float32(b - zero) * np.float32(scale)
        for i, b in enumerate(bounds, start=1)
        if b is not None
    }


def test_a_clip_of_some_readers_only_stays_behind(new_net, run_stock, ops_of):
    net = new_net()
    grid = parameters(net)
    q = net.node("QuantizeLinear", net.input(), *grid)
    clipped = net.node("Clip", q, net.const(0, dtype=np.uint8), net.const(5, dtype=np.uint8))
    both = [net.node("DequantizeLinear", t, *grid) for t in (q, clipped)]
    model = net.model(net.node("Add", *both))
    canonical = canonicalise(model)
    x = net.rng.normal(0, 2, (2, 2, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(run_stock(canonical.to_model(), x)[0], run_stock(model, x)[0])
    assert ops_of(canonical).count("QuantizeLinear") == 1
