"""Trains of spikes have the values and the means that they stand for."""

import numpy as np
import pytest

from onnx2snn.calibration.signals import Train, rates


def test_train_values():
    spikes = np.array([[[0, 1]], [[1, 1]]], np.int8)
    t = Train(spikes, np.array([2.0, 3.0], np.float32), lower=-1.0)
    everything = slice(None)
    np.testing.assert_array_equal(t.rows(everything), [[[-1, 2]], [[1, 2]]])
    np.testing.assert_array_equal(t.mean(everything), [[0, 2]])


@pytest.mark.parametrize("steps", [1, 127, 128, 600])
@pytest.mark.parametrize("kind", [np.int8, np.float32])
def test_rates(steps, kind):
    """Counts beyond what eight bits hold, of both signs."""
    spikes = np.ones((steps, 2, 3), kind)
    spikes[:, 1] = -1
    spikes[::2, :, 2] = 0
    np.testing.assert_allclose(rates(spikes), spikes.mean(axis=0, dtype=np.float64), rtol=1e-6)
