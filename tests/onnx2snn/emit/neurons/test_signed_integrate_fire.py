"""signed-if neurons in a network."""

import numpy as np
import pytest

from onnx2snn.errors import PlanError


def test_the_count_is_never_negative(converted):
    """The tracer's limits: zero below, none above."""
    network = converted("signed-if", timesteps=30)
    trains = network.trace.spikes
    assert any((train == -1).any() for train in trains.values())
    for train in trains.values():
        assert set(np.unique(train)) <= {-1, 0, 1}
        assert (train.astype(int).cumsum(axis=0) >= 0).all()


def test_a_steady_current_is_rounded_down_from_its_potential(converted):
    """The first layer's current is the same at every step."""
    network = converted("signed-if", timesteps=9)
    total = 9 * (network.x @ network.weights[0])
    neuron = network.plan.neurons[0]
    want = np.floor((total + neuron.v_init) / neuron.threshold).clip(0, 9)
    counts = network.trace.spikes["first"].astype(int).sum(axis=0)
    np.testing.assert_array_equal(counts, want)


def test_no_hard_reset(converted):
    with pytest.raises(PlanError, match=r"'first'.*'signed-if' neurons subtract the threshold"):
        converted("signed-if", reset="zero").result  # noqa: B018
