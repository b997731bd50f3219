"""Pools in the walk answer as their ops."""

import numpy as np
import pytest

from onnx2snn.calibration.pools import pool_train
from onnx2snn.calibration.signals import Constant, Train
from onnx2snn.calibration.walker import Walk
from onnx2snn.frontend import canonicalise
from onnx2snn.plan import NeuronPlan
from onnx2snn.sites import find_sites
from onnx2snn.sites.segments import find_segments
from onnx2snn_runtime.ops import spike_average_pool, spike_max_pool

T = 5
GEOMETRY = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}
AMPLITUDE = np.array([0.3, 1.7, 0.0], np.float32).reshape(3, 1, 1)


def pooled(new_net, op, steps, spikes, **attributes):
    """The walk's answer, and the site."""
    net = new_net()
    x = net.relu(net.conv(net.input(), (3, 2, 1, 1)))
    y = net.node(op, x, name="pool", **GEOMETRY, **attributes)
    canonical = canonicalise(net.model(net.conv(y, (1, 3, 1, 1))))
    sites = find_sites(canonical, avgpool="spiking", keep_analog=frozenset(), diagnostics=[])
    segments = find_segments(canonical, sites, ())
    walk = Walk(segments, {"x": np.zeros((4, 2, 6, 6), np.float32)}, T, steps)
    for view in walk:
        if view.segment.name == "pool":
            places = view.site.places
            half = None if places is None else places / 2
            neuron = NeuronPlan("pool", view.site.kind, places, half, None)
            return pool_train(view, neuron, steps), neuron
        walk.settle(
            view, Constant(view.ann, steps) if view.site is None else Train(spikes, AMPLITUDE)
        )
    raise AssertionError("no pool")


@pytest.fixture
def spikes():
    return np.random.default_rng(0).integers(0, 2, (T, 4, 3, 6, 6)).astype(np.int8)


def rows(values):
    return values.reshape(-1, *values.shape[2:]).astype(np.float32)


@pytest.mark.parametrize("counted", [0, 1])
def test_average(counted, new_net, spikes):
    answer, neuron = pooled(new_net, "AveragePool", T, spikes, count_include_pad=counted)
    want, _ = spike_average_pool.window(
        rows(spikes), neuron.threshold, neuron.v_init, np.int64(T), **GEOMETRY
    )
    np.testing.assert_array_equal(rows(answer.spikes)[:, :2], want[:, :2])
    np.testing.assert_allclose(answer.amplitude, AMPLITUDE, rtol=1e-6)


def test_largest(new_net, spikes):
    answer, _ = pooled(new_net, "MaxPool", T, spikes)
    want, _ = spike_max_pool.window(rows(spikes), np.zeros(1, np.float32), np.int64(T), **GEOMETRY)
    np.testing.assert_array_equal(rows(answer.spikes)[:, :2], want[:, :2])


def test_means_only(new_net, spikes):
    """Of averaged populations the pools pass spikes per step."""
    rates = spikes.mean(axis=0, keepdims=True, dtype=np.float32)
    answer, _ = pooled(new_net, "MaxPool", 1, rates)
    want = np.max([rates[0][..., i::2][..., :3] for i in (0, 1)], axis=0)
    np.testing.assert_allclose(answer.spikes[0][:, :2, 0], want[:, :2, :2].max(axis=2), rtol=1e-5)
