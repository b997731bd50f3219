"""Steps go down, in proportion to what they change, and go on from where they were."""

import numpy as np
import pytest

from onnx2snn.calibration import optimizer
from onnx2snn.calibration.optimizer import Optimizer, orthogonal

SHAPES = [(4, 4), (3, 8), (8, 3), (1, 5), (5, 1), (4, 2, 3, 3), (6, 1, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal(shape):
    """All singular values are equal, the directions stay, entries are of about one."""
    gradient = np.random.default_rng(0).normal(0, 0.01, shape).astype(np.float32)
    found = orthogonal(gradient)
    assert found.shape == shape
    u, s, vt = np.linalg.svd(gradient.reshape(len(gradient), -1), full_matrices=False)
    expected = u @ vt * np.sqrt(max(u.shape[0], vt.shape[1]))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-3 * s[0] / s[-1])
    assert np.square(found).mean() == pytest.approx(1, rel=0.01)


def test_orthogonal_of_low_rank():
    """Directions that the gradient does not have are not made up from its roundings."""
    rng = np.random.default_rng(0)
    gradient = np.outer(rng.normal(size=8), rng.normal(size=20)).astype(np.float32)
    found = np.linalg.svd(orthogonal(gradient))[1]
    assert found[0] == pytest.approx(np.sqrt(20), rel=1e-3)
    assert found[1] < 0.1 * found[0]


@pytest.mark.parametrize("value", [0, np.nan, np.inf, -np.inf])
def test_orthogonal_of_nothing(value):
    gradient = np.zeros((3, 4), np.float32)
    gradient[1, 2] = value
    np.testing.assert_array_equal(orthogonal(gradient), 0)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_the_size_of_a_gradient_does_not_matter(size):
    """Not even where squares do not fit into float32."""
    gradient = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    found = orthogonal(gradient * np.float32(size))
    np.testing.assert_allclose(found, orthogonal(gradient), atol=1e-4)


def made(state=None, **limits):
    rng = np.random.default_rng(0)
    known = {
        "weight": rng.normal(size=(3, 4)).astype(np.float32),
        "bias": rng.normal(size=3).astype(np.float32),
    }
    scales = {"weight": np.float32(2), "bias": np.full(3, 0.5, np.float32)}
    return known, Optimizer(known, {"weight"}, scales, limits, state)


def gradients(known):
    """Of half the sum of squares."""
    return {name: values.copy() for name, values in known.items()}


def test_goes_down():
    known, steps = made()
    before = {name: np.abs(values).max() for name, values in known.items()}
    for _ in range(1000):
        steps.step(gradients(known), 0.01)
    for name, values in known.items():
        assert np.abs(values).max() < 0.1 * before[name]


def test_steps_are_in_proportion():
    """Of a bias by Adam's first step, of a matrix by the root mean square of its entries."""
    known, steps = made()
    before = dict(known)
    steps.step(gradients(known), 0.01)
    np.testing.assert_allclose(np.abs(known["bias"] - before["bias"]), 0.005, rtol=1e-4)
    moved = np.sqrt(np.square(known["weight"] - before["weight"]).mean())
    assert moved == pytest.approx(0.02 * optimizer.TURN, rel=1e-3)


def test_a_matrix_too_large_steps_by_adam(monkeypatch):
    monkeypatch.setattr(optimizer, "LARGEST", 2)
    known, steps = made()
    before = dict(known)
    steps.step(gradients(known), 0.01)
    np.testing.assert_allclose(np.abs(known["weight"] - before["weight"]), 0.02, rtol=1e-4)


def test_work_is_that_of_matrices(monkeypatch):
    """One of 4×18, seen from its shorter side; large ones and thresholds hardly cost anything."""
    monkeypatch.setattr(optimizer, "LARGEST", 5)
    known = {"a": np.ones((4, 2, 3, 3)), "large": np.ones((6, 7)), "threshold": np.ones((4, 1))}
    values = {name: value.astype(np.float32) for name, value in known.items()}
    found = Optimizer(values, {"a", "large"}, dict.fromkeys(values, np.ones(1)), {}, None)
    assert found.work == 2 * 4 * 4 * 18 + optimizer.EIGENVALUES * 4**3


def test_limits():
    known, steps = made(bias=(np.float32(-0.1), np.float32(0.1)))
    steps.step(gradients(known), 0.01)
    assert np.abs(known["bias"]).max() <= np.float32(0.1)


def test_means_follow():
    """They begin with the parameters, and lie between old and new values."""
    known, steps = made()
    before = known["bias"].copy()
    for _ in range(3):
        steps.step(gradients(known), 0.01)
    mean = steps.state.means["bias"]
    assert (np.abs(mean) < np.abs(before)).all()
    assert (np.abs(mean) > np.abs(known["bias"])).all()


def test_goes_on():
    """From a state as if nothing had happened."""
    whole, steps = made()
    for _ in range(5):
        steps.step(gradients(whole), 0.01)
    first, begun = made()
    for _ in range(2):
        begun.step(gradients(first), 0.01)
    again, resumed = made(begun.state)
    for _ in range(3):
        resumed.step(gradients(again), 0.01)
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name])
