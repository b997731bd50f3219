"""Trained networks in counts and in steps: exact ones to the last bit, floats but for near ties."""

import numpy as np
import onnx
import pytest

from onnx2snn import convert
from onnx2snn_runtime import SpikingSession

BACKENDS = ("stock", "native")


@pytest.fixture(scope="module")
def models(pytestconfig):
    return pytestconfig.rootpath / "models"


@pytest.fixture(scope="module")
def digits(pytestconfig):
    """64 images of held-out digits, as the networks take them."""
    path = pytestconfig.rootpath / "onnx2snn" / "demo_data" / "digits_heldout.npz"
    with np.load(path) as archive:
        images = archive["images"][:64]
    return images.reshape(64, 1, 8, 8).astype(np.float32) / 16


def assert_statistically_equal(found, wanted, *, rate=0.01, classes=0.95):
    """Float sums in another order: neurons near their threshold may differ, averages hardly.

    Args:
        found: totals.
        wanted: totals of the same samples.
        rate: by how much spikes per neuron and step may differ.
        classes: share of samples of which the largest output must be the same.
    """
    assert found.rates.keys() == wanted.rates.keys()
    for name, value in wanted.rates.items():
        assert found.rates[name] == pytest.approx(value, abs=rate), name
    assert any(value > 5 * rate for value in wanted.rates.values())
    for name, values in wanted.outputs.items():
        same = found.outputs[name].argmax(axis=1) == values.argmax(axis=1)
        assert same.mean() >= classes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"avgpool": "linear"},
        {"encoding": "rate", "input_range": (0, 1)},
        {"encoding": "poisson", "input_range": (0, 1)},
        {"encoding": "ice", "input_range": (0, 1)},
        {"threshold": "mmse", "v_init": "calibrate"},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "default",
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_averaging_neurons(models, digits, backend, options):
    stages = {"threshold": "percentile", "neuron": "asg"} | options
    data = models / "digits_calibration.npz"
    model = convert(
        onnx.load(models / "digits_cnn_float.onnx"), 8, calibration_data=data, **stages
    ).model
    counts = SpikingSession(model, backend=backend)
    assert counts.is_counted
    steps = SpikingSession(model, backend=backend, counts=False)
    assert not steps.is_counted
    assert_statistically_equal(counts.totals(digits), steps.totals(digits))


@pytest.mark.parametrize("recipe", ["exact-asg", "exact-radix"])
@pytest.mark.parametrize("arithmetic", ["rational", "ort"])
def test_exact_networks(pytestconfig, digits, recipe, arithmetic):
    source = pytestconfig.rootpath / "onnx2snn" / "demo_data" / "digits_cnn_int8.onnx"
    model = convert(source, recipe=recipe, arithmetic=arithmetic).model
    wanted = SpikingSession(model, counts=False).totals(digits)
    for backend in BACKENDS:
        session = SpikingSession(model, backend=backend)
        assert session.is_counted
        found = session.totals(digits)
        for name, values in wanted.outputs.items():
            assert found.outputs[name].tobytes() == values.tobytes()
        for name, rate in wanted.rates.items():
            assert found.rates[name] == pytest.approx(rate, rel=1e-5)
