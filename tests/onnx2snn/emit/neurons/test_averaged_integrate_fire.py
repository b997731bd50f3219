"""asg neurons in a network: counts in closed form, layer after layer."""

import numpy as np
import pytest

from onnx2snn.errors import PlanError
from onnx2snn_runtime.instrument import is_anytime


def test_counts_need_no_simulation(converted):
    """A layer's current over the window depends on nothing but the counts before it."""
    for timesteps in (1, 4, 9):
        network = converted("asg", timesteps=timesteps)
        trace = network.trace
        total = timesteps * (network.x @ network.weights[0])
        neuron = network.plan.neurons[0]
        for name in ("first", "second"):
            counts = np.floor((total + neuron.v_init) / neuron.threshold).clip(0, timesteps)
            np.testing.assert_array_equal(trace.spikes[name].sum(axis=0), counts)
            total = counts @ network.weights[1] + timesteps * network.bias


def test_they_wait_for_their_window(converted):
    assert not is_anytime(converted("asg").spiking)
    assert is_anytime(converted("if").spiking)


def test_no_hard_reset(converted):
    with pytest.raises(PlanError, match=r"'first'.*'asg' neurons subtract the threshold"):
        converted("asg", reset="zero").result  # noqa: B018
