"""lif neurons in a network."""

from dataclasses import replace

import numpy as np
import pytest

import onnx2snn
from onnx2snn.errors import ConfigError, PlanError
from onnx2snn_runtime import SpikingSession


def test_without_a_leak_they_are_if_neurons(converted):
    plain = converted("if").trace
    for leak, mode in ((0, "linear"), (1, "factor")):
        leaky = converted("lif", leak=np.array([leak], np.float32), leak_mode=mode).trace
        for name, train in plain.spikes.items():
            np.testing.assert_array_equal(leaky.spikes[name], train)
            np.testing.assert_array_equal(leaky.v_final[name], plain.v_final[name])


def test_a_leak_for_every_channel(converted):
    leak = np.array([2.0, -2.0, 0.0], np.float32)
    network = converted("lif", leak=leak)
    node = network.node()
    assert node.op_type == "LeakyIntegrateFire"
    assert "Leak -2 to 2." in node.doc_string
    plain, leaky = converted("if").trace, network.trace
    counts, less = (trace.spikes["first"].sum(axis=(0, 1)) for trace in (plain, leaky))
    assert less[0] < counts[0]
    assert less[1] > counts[1]
    assert less[2] == counts[2]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_resets(converted, reset):
    node = converted("lif", leak=np.zeros(1, np.float32), reset=reset).node()
    attributes = {a.name: a.s for a in node.attribute}
    assert attributes == {"leak_mode": b"linear", "reset": reset.encode()}


def test_no_leak_is_named(converted):
    with pytest.raises(PlanError, match=r"'first'.*'lif' neurons need a value for leak"):
        converted("lif").result  # noqa: B018


def test_an_unknown_leak_mode(converted):
    network = converted("lif", leak=np.zeros(1, np.float32), leak_mode="quadratic")
    with pytest.raises(PlanError, match=r"leak_mode is 'quadratic'.*known are linear, factor"):
        network.result  # noqa: B018


class TestFromConvert:
    """``--neuron lif --leak λ``."""

    @pytest.fixture
    def images(self):
        return np.random.default_rng(0).uniform(0, 1, (30, 2, 6, 6)).astype(np.float32)

    @pytest.fixture
    def model(self, new_net):
        net = new_net()
        y = net.relu(net.conv(net.input(), (4, 2, 3, 3), bias=True))
        y = net.relu(net.conv(y, (4, 4, 3, 3), bias=True))
        return net.model(net.gemm(net.node("Flatten", y), (16, 3)))

    @pytest.mark.parametrize("leak", [0.02, 0.1, 0.3])
    def test_lower_thresholds_make_up_for_the_leak(self, model, images, run_stock, leak):
        plan = onnx2snn.convert(
            model, 64, neuron="lif", leak=leak, threshold="max", calibration_data=images
        ).plan
        plain = onnx2snn.convert(model, 64, threshold="max", calibration_data=images).plan
        (wanted,) = run_stock(model, images)

        def error(neurons):
            converted = onnx2snn.convert(model, plan=replace(plan, neurons=neurons)).model
            (got,) = SpikingSession(converted).run(images).values()
            return float(np.square(got - wanted).mean())

        for leaky, other in zip(plan.neurons, plain.neurons, strict=True):
            assert np.allclose(leaky.threshold * (1 + leak), other.threshold)
            assert np.array_equal(leaky.amplitude, other.amplitude)
            assert leaky.leak.tolist() == [pytest.approx(1 - leak)]
        uncorrected = tuple(
            replace(n, threshold=o.threshold)
            for n, o in zip(plan.neurons, plain.neurons, strict=True)
        )
        assert error(plan.neurons) < error(uncorrected)

    def test_auto_with_data_calibrates_nothing(self, model, images):
        """The walk does not simulate leaks."""
        plan = onnx2snn.convert(model, 8, neuron="lif", leak=0.1, calibration_data=images).plan
        assert plan.corrections == ()
        assert {n.neuron for n in plan.neurons} == {"lif"}

    @pytest.mark.parametrize(
        "options",
        [
            {"neuron": "lif"},
            {"leak": 0.1},
            {"neuron": "lif", "leak": 1.0},
            {"neuron": "lif", "leak": -0.1},
            {"neuron": "asg", "leak": 0.1},
        ],
    )
    def test_leaks_that_fit_nothing(self, model, options):
        with pytest.raises(ConfigError, match=r"leak \S+ does not fit"):
            onnx2snn.convert(model, 8, **options)

    def test_recipes_that_simulate(self, model, images):
        with pytest.raises(ConfigError, match="calibration cannot simulate neuron 'lif'"):
            onnx2snn.convert(
                model, 8, neuron="lif", leak=0.1, bias="calibrate", calibration_data=images
            )
