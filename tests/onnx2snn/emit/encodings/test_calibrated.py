"""Calibration sees the spikes that encoders of the file make."""

import numpy as np
import pytest

import onnx2snn
from onnx2snn.emit import coded_inputs
from onnx2snn.emit.encoding import ENCODINGS
from onnx2snn.frontend import canonicalise
from onnx2snn.methods.forward import simulate_plan
from onnx2snn.sites.segments import find_segments
from onnx2snn_runtime import SpikingSession

SPIKES = [e.name for e in ENCODINGS if e.is_spikes]


@pytest.fixture
def images():
    return np.random.default_rng(2).uniform(0, 1, (10, 2, 6, 6)).astype(np.float32)


@pytest.fixture(params=[False, True], ids=["plain", "normalised"])
def network(new_net, request):
    """With a normalisation of each channel, spikes enter behind it."""
    net = new_net()
    x = net.input()
    if request.param:
        x = net.node("Sub", x, net.const(np.array([0.4, 0.6]).reshape(2, 1, 1)))
        x = net.node("Div", x, net.const(np.array([0.3, 0.2]).reshape(2, 1, 1)))
    y = net.relu(net.conv(x, (3, 2, 3, 3), bias=True, pads=[1] * 4), name="first")
    y = net.relu(net.conv(y, (4, 3, 3, 3), bias=True))
    return net.model(net.gemm(net.node("Flatten", y), (64, 3)))


def test_every_encoding_of_spikes_has_a_code():
    assert SPIKES
    assert all(ENCODINGS.get(name).code is not None for name in SPIKES)


@pytest.mark.parametrize("neuron", ["if", "asg"])
@pytest.mark.parametrize("timesteps", [1, 5])
@pytest.mark.parametrize("encoding", SPIKES)
def test_the_walk_answers_as_the_file(network, images, encoding, timesteps, neuron):
    result = onnx2snn.convert(
        network, timesteps, encoding=encoding, threshold="mmse", neuron=neuron, seed=3,
        calibration_data=images, input_range=(0.0, 1.0),
    )  # fmt: skip
    plan, canonical = result.plan, canonicalise(network)
    encoders, coded = coded_inputs(canonical, plan)
    assert len(encoders) == 1
    segments = find_segments(canonical, plan.sites, (), coded)
    simulated = simulate_plan(segments, plan.neurons, (), {"x": images}, timesteps, encoders)
    ((_, walked),) = simulated.values()
    (wanted,) = SpikingSession(result.model).run(images).values()
    # Sums in another order may move single spikes.
    near = np.abs(walked - wanted) < 1e-4 * np.abs(wanted).max()
    assert near.all(axis=1).mean() >= 0.9


@pytest.mark.parametrize("encoding", SPIKES)
@pytest.mark.parametrize("options", [{"recipe": "regression"}, {"threshold": "ctt"}])
def test_calibrated_on_spikes(network, images, encoding, options):
    """The first layer is corrected as well, for what it receives is no longer exact."""
    result = onnx2snn.convert(
        network, 4, encoding=encoding, calibration_data=images, input_range=(0.0, 1.0), **options
    )
    assert "CALIBRATED_WITHOUT_CODE" not in {d.code for d in result.diagnostics}
    first = next(n.name for n in canonicalise(network).graph.nodes if n.op == "Conv")
    corrected = {c.layer for c in result.plan.corrections}
    assert (first in corrected) is ("recipe" in options)
    (answers,) = SpikingSession(result.model).run(images).values()
    assert np.isfinite(answers).all()


def test_direct_inputs_have_no_code(network, images):
    plan = onnx2snn.convert(network, 4, calibration_data=images, threshold="mmse").plan
    assert coded_inputs(canonicalise(network), plan) == ({}, frozenset())
