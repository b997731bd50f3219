"""Contracts of operators between populations: affine, row by row, and amplitudes pass rightly."""

import numpy as np
import pytest

from onnx2snn.graphs import data_inputs
from onnx2snn.linear import LINEAR


def draw(case, n, seed=0):
    shape = [d if isinstance(d, int) else 5 for d in case.shape]
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


def amplitudes(case):
    """One number, one for each channel, and a full map."""
    shape = [d if isinstance(d, int) else 5 for d in case.shape]
    rng = np.random.default_rng(1)
    shapes = [(1,), (shape[0], *[1] * (len(shape) - 1)), tuple(shape)]
    return [rng.uniform(0.5, 2, s).astype(np.float32) for s in shapes]


def test_every_operator_has_a_case(all_cases):
    assert {c.op for c in all_cases} == set(LINEAR.names())


def test_it_is_affine(case, make, run_graph):
    graph, node = make(case)
    assert LINEAR.get(case.op).reason(node) is None
    a, b = draw(case, 2, seed=1), draw(case, 2, seed=2)
    mean = run_graph(graph, (a + b) / 2)
    np.testing.assert_allclose(
        mean, (run_graph(graph, a) + run_graph(graph, b)) / 2, rtol=1e-4, atol=1e-5
    )


def test_it_keeps_axis_0_and_treats_rows_alike(case, make, run_graph):
    graph, _ = make(case)
    x = draw(case, 6)
    together = run_graph(graph, x)
    alone = np.concatenate([run_graph(graph, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["uniform", "channels", "map"])
def test_what_it_absorbs_is_in_its_constants(case, make, run_graph, which):
    graph, node = make(case)
    amplitude, x = amplitudes(case)[which], draw(case, 3)
    wanted = run_graph(graph, amplitude * x)
    places = data_inputs(node)
    if len(places) != 1 or not LINEAR.get(case.op).absorb(graph, node, places[0], amplitude):
        assert which == 2 or case.op not in {"Conv", "ConvTranspose", "Gemm"}
        assert which != 0 or case.op not in {"MatMul", "Mul"}
        return
    np.testing.assert_allclose(run_graph(graph, x), wanted, rtol=1e-4, atol=1e-5)


#: Where an amplitude of each kind must pass; the others may stop it.
PASSES = {
    0: "AveragePool GlobalAveragePool Identity Flatten Reshape Squeeze Unsqueeze Transpose Slice",
    1: "AveragePool GlobalAveragePool Identity Flatten Reshape Squeeze Unsqueeze Transpose Slice",
    2: "Identity Flatten Reshape Squeeze Unsqueeze Transpose Slice",
}


@pytest.mark.parametrize("which", [0, 1, 2], ids=["uniform", "channels", "map"])
def test_what_it_carries_stands_behind_it(case, make, run_graph, which):
    graph, node = make(case)
    amplitude, x = amplitudes(case)[which], draw(case, 3)
    behind = LINEAR.get(case.op).carry(node, amplitude)
    if behind is None:
        assert case.op not in PASSES[which].split() or case.title == "backwards"
        return
    wanted = run_graph(graph, amplitude * x)
    np.testing.assert_allclose(behind * run_graph(graph, x), wanted, rtol=1e-4, atol=1e-5)


def test_sums_and_joints_stop_amplitudes(all_cases, make):
    stopped = [c for c in all_cases if c.op in {"Add", "Sub", "Concat"}]
    for case in stopped:
        graph, node = make(case)
        handler = LINEAR.get(case.op)
        for amplitude in amplitudes(case):
            assert handler.carry(node, amplitude) is None
            assert not any(handler.absorb(graph, node, i, amplitude) for i in range(2))
