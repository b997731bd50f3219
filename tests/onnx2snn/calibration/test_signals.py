"""Trains of spikes have the values and the means that they stand for."""

import numpy as np
import pytest

from onnx2snn.calibration.signals import PartlyExact, Train, rates


def test_train_values():
    spikes = np.array([[[0, 1]], [[1, 1]]], np.int8)
    t = Train(spikes, np.array([2.0, 3.0], np.float32), lower=-1.0)
    everything = slice(None)
    np.testing.assert_array_equal(t.rows(everything), [[[-1, 2]], [[1, 2]]])
    np.testing.assert_array_equal(t.mean(everything), [[0, 2]])


@pytest.mark.parametrize("steps", [5, 1])
def test_a_train_with_other_means(steps):
    """What is chosen has the mean that it is given, and fires when it did; the rest stays."""
    rng = np.random.default_rng(0)
    spikes = rng.integers(-1, 2, (steps, 3, 4)).astype(np.int8)
    chosen = rng.random((3, 4)) < 0.5
    means = rng.normal(0, 1, (3, 4)).astype(np.float32)
    plain = Train(spikes, np.float32(0.5), 0.25)
    other = PartlyExact(spikes, np.float32(0.5), 0.25, means=means, chosen=chosen)
    part = slice(1, 3)
    mean = np.where(chosen, means, plain.mean(slice(None)))
    np.testing.assert_allclose(other.mean(part), mean[part], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.rows(part).mean(0), mean[part], rtol=1e-5, atol=1e-6)
    changes, before = (np.diff(t.rows(part), axis=0) for t in (other, plain))
    np.testing.assert_allclose(changes, before, atol=1e-6)
    np.testing.assert_array_equal(other.full, plain.full)


@pytest.mark.parametrize("steps", [1, 127, 128, 600])
@pytest.mark.parametrize("kind", [np.int8, np.float32])
def test_rates(steps, kind):
    """Counts beyond what eight bits hold, of both signs."""
    spikes = np.ones((steps, 2, 3), kind)
    spikes[:, 1] = -1
    spikes[::2, :, 2] = 0
    np.testing.assert_allclose(rates(spikes), spikes.mean(axis=0, dtype=np.float64), rtol=1e-6)
