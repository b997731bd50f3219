"""Multiply-accumulates of layers, counted one by one."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise
from onnx2snn.sites.operations import Workload, multiply_accumulates

LAYERS = {
    "Conv": lambda n, x: n.conv(x, (3, 2, 3, 2), strides=[2, 1], name="it"),
    "grouped": lambda n, x: n.conv(x, (4, 1, 2, 2), group=2, dilations=[2, 1], name="it"),
    "ConvTranspose": lambda n, x: n.conv(
        x, (2, 3, 2, 2), op="ConvTranspose", strides=[2, 2], name="it"
    ),
    "ConvTranspose, grouped": lambda n, x: n.conv(
        x, (2, 2, 3, 3), op="ConvTranspose", group=2, strides=[3, 3], name="it"
    ),
    "Gemm": lambda n, x: n.gemm(n.node("Flatten", x), (72, 5), bias=False, name="it"),
    "MatMul": lambda n, x: n.node("MatMul", x, n.random(6, 4), name="it"),
    "MatMul, left": lambda n, x: n.node("MatMul", n.random(5, 6), x, name="it"),
    "MatMul of two": lambda n, x: n.node("MatMul", x, n.node("Abs", x), name="it"),
}


@pytest.mark.parametrize("case", LAYERS)
def test_with_ones_the_sum_of_the_output_is_the_count(new_net, run_stock, case):
    net = new_net()
    model = net.model(LAYERS[case](net, net.input()))
    graph = canonicalise(model).graph
    written = canonicalise(model).to_model()
    for tensor in written.graph.initializer:
        if tensor.data_type == 1:
            tensor.raw_data = np.ones(list(tensor.dims), np.float32).tobytes()
    (sums,) = run_stock(written, np.ones((1, 2, 6, 6), np.float32))
    assert multiply_accumulates(graph) == {"it": int(sums.sum())}


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_of_unknown_size(new_net, op):
    net = new_net()
    y = net.conv(net.input(shape=("N", 2, "H", 6)), (2, 2, 3, 3), op=op, name="it")
    assert multiply_accumulates(canonicalise(net.model(y)).graph) == {"it": None}


def test_the_workload_sums_what_is_known_and_names_what_is_not():
    macs = {"first": 300, "second": 100, "lost": None}
    regions = {"first": "time", "second": "analog", "lost": "time"}
    work = Workload.of(macs, regions)
    assert (work.total, work.in_time, work.analog) == (400, 300, 100)
    assert work.share_in_time == 0.75
    assert work.unknown == ("lost",)


def test_a_network_without_layers_has_no_share():
    assert Workload.of({}, {}).share_in_time is None
