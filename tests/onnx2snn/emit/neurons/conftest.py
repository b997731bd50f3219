"""A network of fully connected layers on integers, converted with neurons of any model."""

import dataclasses

import numpy as np
import pytest

import onnx2snn
from onnx2snn_runtime import SpikingSession

T = 6
THETA = np.array([3.0, 5.0, 4.0], np.float32)
V_INIT = np.array([1.0, 0.0, 2.0], np.float32)


class Converted:
    """A two-layer network whose neurons are of one model."""

    def __init__(self, net, neuron, timesteps=T, lower=None, **changes):
        rng = np.random.default_rng(1)
        self.weights = [rng.integers(-3, 4, shape).astype(np.float32) for shape in ((4, 3), (3, 3))]
        self.bias = rng.integers(-1, 3, 3).astype(np.float32)
        y = net.node("MatMul", net.input("x", ("N", 4)), net.const(self.weights[0]))
        y = self.activation(net, y, lower, "first")
        y = net.node("Gemm", y, net.const(self.weights[1]), net.const(self.bias), name="layer")
        self.model = net.model(self.activation(net, y, lower, "second"))
        self.x = rng.integers(-2, 4, (30, 4)).astype(np.float32)
        plan = onnx2snn.convert(
            self.model, timesteps, threshold="max", calibration_data=self.x
        ).plan
        given = {
            "neuron": neuron,
            "threshold": THETA,
            "v_init": V_INIT,
            "amplitude": np.ones(1, np.float32),
        } | changes
        neurons = tuple(dataclasses.replace(n, **given) for n in plan.neurons)
        self.plan = dataclasses.replace(plan, neurons=neurons)

    @staticmethod
    def activation(net, y, lower, name):
        if lower is None:
            return net.relu(y, name=name)
        return net.node("Clip", y, net.const(lower), net.const(999.0), name=name)

    @property
    def result(self):
        return onnx2snn.convert(self.model, plan=self.plan)

    @property
    def spiking(self):
        return self.result.model

    @property
    def trace(self):
        return SpikingSession(self.spiking).trace(self.x)

    def node(self, name="first"):
        (node,) = [n for n in self.spiking.graph.node if n.name == name]
        return node


@pytest.fixture
def converted(new_net):
    """A function: neuron model and changes of the plan to the converted network."""
    return lambda neuron, **changes: Converted(new_net(), neuron, **changes)
