"""The strength of the ridge, chosen by samples that it was not fitted to."""

import numpy as np
import pytest

from onnx2snn.calibration.regression import Regression
from onnx2snn.methods import calibrate_layers
from onnx2snn.methods.forward import simulate_plan
from onnx2snn.methods.weights.calibrate_cv import COPIES, HELD, RIDGES, chosen
from onnx2snn.methods.weights.calibrate_ls import fit
from onnx2snn.plan import ConversionConfig
from onnx2snn.segment import Layer

LAYER = Layer("l", "Gemm", "x", "w", "b")
CONFIG = ConversionConfig(timesteps=2, neuron="asg", threshold="mmse", avgpool="linear")


def problem(x, outputs):
    weight = np.zeros((x.shape[1], outputs), np.float32)
    rng = np.random.default_rng(0)
    return Regression(LAYER, weight, x, (len(x), outputs), rng, 0.03)


def draw(*shape):
    return np.random.default_rng(sum(shape)).normal(0, 1, shape).astype(np.float32)


def held_out(samples):
    return np.arange(samples) % HELD == HELD - 1


@pytest.mark.parametrize("samples", [40, 400])
def test_noise_is_not_learned(samples):
    """What is wanted has nothing to do with what arrives."""
    x, wanted = draw(samples, 30), draw(samples, 5)
    found = problem(x, 5)
    plain = fit(found, wanted, 0 * wanted, None)
    assert np.abs(chosen(found, wanted, 0 * wanted, None)).max() < 0.8 * np.abs(plain).max()


def test_a_layer_that_cannot_gain_stays():
    x = draw(40, 30)
    wanted = np.where(held_out(40)[:, None], -1, 1) * x[:, :5]
    assert not chosen(problem(x, 5), wanted, 0 * wanted, None).any()


def test_what_can_be_known_is_learned():
    """The weakest strength, where all is linear and nothing noisy."""
    x, weight = draw(400, 30), draw(30, 5)
    found = problem(x, 5)
    correction = chosen(found, x @ weight, np.zeros((400, 5), np.float32), None)
    best = fit(found.with_ridge(min(RIDGES)), x @ weight, np.zeros((400, 5), np.float32), None)
    np.testing.assert_allclose(correction, best)


@pytest.mark.parametrize("samples", [1, HELD - 1])
def test_too_few_to_hold_any_out(samples):
    x, wanted = draw(samples, 3), draw(samples, 2)
    found = problem(x, 2)
    correction = chosen(found, wanted, 0 * wanted, None)
    np.testing.assert_array_equal(correction, fit(found, wanted, 0 * wanted, None))


def test_a_copy_is_no_other_sample():
    """Noise that comes twice, as an image and its mirrored copy, is not learned from the copy."""
    x, wanted = (np.repeat(draw(20, n), COPIES, axis=0) for n in (30, 5))
    found = problem(x, 5)
    learned = np.abs(chosen(found, wanted, 0 * wanted, None, together=COPIES)).max()
    assert learned < 0.8 * np.abs(fit(found, wanted, 0 * wanted, None)).max()


def test_better_on_other_samples(jointed, cut):
    """Than a fixed strength, where samples are few."""
    net = cut(jointed(), samples=128)
    few, others = net.dataset.apart(112)
    start = net.plan(CONFIG)
    errors = {}
    for name in ("calibrate-ls", "calibrate-cv"):
        config = ConversionConfig(**{**vars(CONFIG), "weights": name})
        found = calibrate_layers(net.segments, start, few, config, [])
        [unseen] = others.batches(112)
        [(source, plan)] = simulate_plan(
            net.segments, found.neurons, found.corrections, unseen, 2
        ).values()
        errors[name] = float(np.square(plan - source).mean())
        assert {n.provenance["weights"] for n in found.neurons if "weights" in n.provenance} == {
            name
        }
    assert errors["calibrate-cv"] < errors["calibrate-ls"]
