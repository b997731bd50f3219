"""Fully connected layers take one form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.frontend import canonicalise


@settings(max_examples=60)
@given(
    trans_b=st.booleans(),
    alpha=st.sampled_from([1.0, 0.25, -3.0]),
    beta=st.sampled_from([1.0, 0.0, -0.5]),
    bias=st.sampled_from([None, (), (1,), (5,), (1, 1), (1, 5)]),
)
def test_gemm(new_net, same_function, ops_of, trans_b, alpha, beta, bias):
    net = new_net()
    inputs = [net.input(shape=("N", 4)), net.random(*((5, 4) if trans_b else (4, 5)))]
    if bias is not None:
        inputs.append(net.const(net.rng.normal(size=bias)))
    model = net.model(net.node("Gemm", *inputs, transB=int(trans_b), alpha=alpha, beta=beta))
    canonical = same_function(model, net.rng.normal(size=(3, 4)).astype(np.float32))
    (gemm,) = canonical.graph.nodes
    assert (gemm.op, dict(gemm.attrs), list(gemm.inputs[1].shape)) == ("Gemm", {}, [4, 5])
    assert bias is None or list(gemm.inputs[2].shape) == [5]


def test_matmul_of_rows_with_a_matrix(new_net, same_function, ops_of):
    net = new_net()
    model = net.model(net.node("MatMul", net.input(shape=("N", 4)), net.random(4, 5)))
    assert ops_of(same_function(model, net.rng.normal(size=(3, 4)).astype(np.float32))) == ["Gemm"]


@pytest.mark.parametrize(("left", "right"), [((3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5))])
def test_matmul_of_more_axes_stays(new_net, same_function, ops_of, left, right):
    net = new_net()
    model = net.model(net.node("MatMul", net.input(shape=("N", *left)), net.random(*right)))
    values = net.rng.normal(size=(2, *left)).astype(np.float32)
    assert ops_of(same_function(model, values)) == ["MatMul"]


def test_gemm_of_the_transposed_input_stays(new_net):
    net = new_net()
    y = net.node("Gemm", net.input(shape=(4, "N")), net.random(4, 5), transA=1)
    (gemm,) = canonicalise(net.model(y)).graph.nodes
    assert gemm.attrs["transA"] == 1
