"""Regression finds again the weights that made the output."""

import numpy as np
import pytest

from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.regression import Regression
from onnx2snn.graphs import evaluate
from onnx2snn.segment import Layer

RNG = np.random.default_rng(0)

CASES = {
    "plain": (Layer("l", "Conv", "x", "w", "b", (1, 1), (1, 1, 1, 1), (1, 1), 1), (4, 3, 3, 3)),
    "stride": (Layer("l", "Conv", "x", "w", "b", (2, 1), (0, 1, 1, 0), (1, 1), 1), (4, 3, 3, 2)),
    "dilated": (Layer("l", "Conv", "x", "w", "b", (1, 1), (2, 2, 2, 2), (2, 2), 1), (2, 3, 3, 3)),
    "depthwise": (
        Layer("l", "Conv", "x", "w", None, (1, 1), (1, 1, 1, 1), (1, 1), 3),
        (3, 1, 3, 3),
    ),
    "grouped": (Layer("l", "Conv", "x", "w", "b", (1, 1), (0, 0, 0, 0), (1, 1), 3), (6, 1, 2, 2)),
    "one axis": (Layer("l", "Conv", "x", "w", "b", (2,), (1, 1), (1,), 1), (4, 3, 3)),
    "gemm": (Layer("l", "Gemm", "x", "w", "b"), (3, 5)),
    "matmul": (Layer("l", "MatMul", "x", "w", None), (3, 5)),
}


def computed(layer, weight, bias, x):
    if layer.op == "MatMul":
        return x @ weight
    if layer.op == "Gemm":
        return x @ weight + bias
    attrs = {"strides": layer.strides, "pads": layer.pads, "dilations": layer.dilations}
    return evaluate("Conv", [x, weight, bias], {**attrs, "group": layer.group}, 21)


def problem(layer, shape, ridge=1e-9):
    places = {"gemm": (), "matmul": (6,)}.get(layer.op.lower(), (9,) * (len(shape) - 2))
    image = (40, 3, *places) if layer.op == "Conv" else (40, *places, 3)
    x = RNG.normal(0, 1, image).astype(np.float32)
    outs = shape[0] if layer.op == "Conv" else shape[1]
    weight = RNG.normal(0, 1, shape).astype(np.float32)
    bias = RNG.normal(0, 1, outs).astype(np.float32)
    if layer.op == "MatMul":
        bias = np.zeros_like(bias)
    old = Corrected(np.zeros(shape, np.float32), None if layer.op == "MatMul" else 0 * bias)
    wanted = computed(layer, weight, bias, x)
    found = Regression(layer, old.weight, x, wanted.shape, np.random.default_rng(1), ridge)
    return found, old, weight, bias, wanted


every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every
def test_finds_the_weights(case):
    found, old, weight, bias, wanted = problem(*case)
    new = found.corrected(old, found.solve(found.sample(wanted)))
    np.testing.assert_allclose(new.weight, weight, atol=2e-3)
    if new.bias is not None:
        np.testing.assert_allclose(new.bias, bias, atol=2e-3)


@every
def test_effect_is_what_the_weights_do(case):
    found, _, _, _, wanted = problem(*case)
    correction = found.solve(found.sample(wanted))
    np.testing.assert_allclose(found.effect(correction), found.sample(wanted), atol=2e-2)


@every
def test_strong_ridge_changes_the_mean_only(case):
    found, old, _, _, wanted = problem(*case, ridge=1e9)
    new = found.corrected(old, found.solve(found.sample(wanted)))
    np.testing.assert_allclose(new.weight, 0, atol=1e-3)
    if new.bias is not None:
        np.testing.assert_allclose(new.bias, found.sample(wanted).mean(axis=0), atol=1e-2)


@every
def test_gradient_leads_down(case):
    """Some steps of the safe size bring the error down, steadily."""
    found, _, _, _, wanted = problem(*case)
    goal = found.sample(wanted)
    everything = slice(None)
    correction = 0 * found.gradient(goal, everything)
    errors = []
    for _ in range(5):
        rest = goal - found.effect(correction)
        errors.append(float(np.square(rest).mean()))
        step = np.float32(1 / found.steepness())
        correction = correction + step * found.gradient(rest, everything)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_repeated_solutions_converge():
    """What was corrected already counts: two sweeps are no stronger than one."""
    found, _, _, _, wanted = problem(*CASES["plain"], ridge=0.5)
    goal = found.sample(wanted)
    once = found.solve(goal)
    again = once + found.solve(goal - found.effect(once), before=once)
    np.testing.assert_allclose(again, once, atol=1e-4)


def test_silent_inputs_are_no_division_by_zero():
    layer, shape = CASES["plain"]
    x = np.zeros((4, 3, 5, 5), np.float32)
    weight = np.ones(shape, np.float32)
    found = Regression(layer, weight, x, (4, 4, 5, 5), np.random.default_rng(0), 0.0)
    correction = found.solve(np.ones((100, 4), np.float32))
    assert np.isfinite(correction).all()
    np.testing.assert_allclose(correction[:, :-1], 0)


def test_too_many_weights_do_not_fit():
    layer = CASES["gemm"][0]
    assert Regression.fits(layer, np.zeros((100, 2), np.float32))
    assert not Regression.fits(layer, np.zeros((10000, 2), np.float32))


def solved(problem, error):
    """The correction solves the problem's own equations."""
    features = problem.features.astype(np.float64)
    moments = features.transpose(0, 2, 1) @ features
    size = moments.shape[1]
    moments[:, range(size), range(size)] += problem._drawn
    split = error.reshape(len(error), len(features), -1).transpose(1, 0, 2)
    wanted = features.transpose(0, 2, 1) @ split
    np.testing.assert_allclose(moments @ problem.solve(error), wanted, rtol=1e-2, atol=0.1)


@every
def test_parts_and_other_strengths(case):
    """As if they had been made so."""
    found, _, _, _, wanted = problem(*case, ridge=0.1)
    error = found.sample(wanted)
    stronger = found.with_ridge(10.0)
    solved(stronger, error)
    drawn = stronger._drawn[:, : found.weights]
    np.testing.assert_allclose(drawn, 100 * found._drawn[:, : found.weights])
    rows = found.places[0] % 2 == 0
    part = found.of_rows(rows)
    assert part.features.shape[1] == rows.sum()
    solved(part, error[rows])
