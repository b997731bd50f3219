"""Layers that onnxruntime's optimizer fused with their activations."""

import numpy as np
import onnx
import onnxruntime
import pytest

from onnx2snn import inspect
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise

MS = "com.microsoft"
ACTIVATIONS = {
    "Relu": {},
    "Sigmoid": {},
    "Tanh": {},
    "LeakyRelu": {"activation_params": [0.25]},
    "HardSigmoid": {"activation_params": [0.25, 0.5]},
    "Clip": {"activation_params": [-0.25, 0.5]},
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("added", [False, True])
def test_convolution(new_net, same_function, ops_of, activation, added):
    net = new_net()
    net.domains = [MS]
    x = net.input()
    more = [net.const(np.ones(2))] + ([x] if added else [])
    attrs = {"activation": activation, "pads": [1] * 4} | ACTIVATIONS[activation]
    y = net.node("FusedConv", x, net.random(2, 2, 3, 3), *more, domain=MS, name="conv", **attrs)
    model = net.model(y, shape=["N", 2, 6, 6])
    canonical = same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32))
    assert ops_of(canonical)[: 1 + added] == ["Conv", "Add"][: 1 + added]
    assert canonical.graph.nodes[0].name == "conv"


@pytest.mark.parametrize(
    ("activation", "parameters"), [("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.25})]
)
def test_fully_connected(new_net, same_function, ops_of, activation, parameters):
    net = new_net()
    net.domains = [MS]
    weights, bias = net.random(5, 8), net.const(np.ones(5))
    attrs = {"activation": activation, "transB": 1, "alpha": 0.5} | parameters
    y = net.node("FusedGemm", net.input(shape=("N", 8)), weights, bias, domain=MS, **attrs)
    canonical = same_function(
        net.model(y, shape=["N", 5]), net.rng.normal(size=(4, 8)).astype(np.float32)
    )
    assert ops_of(canonical)[0] == "Gemm"


def test_unknown_activation(new_net):
    net = new_net()
    net.domains = [MS]
    attrs = {"domain": MS, "name": "conv", "activation": "Mystery"}
    y = net.node("FusedConv", net.input(), net.random(2, 2, 3, 3), **attrs)
    with pytest.raises(UnsupportedModelError, match=r"'conv' \(FusedConv\): .*'Mystery'"):
        canonicalise(net.model(y, shape=["N", 2, 4, 4]))


def test_what_the_optimizer_saves(new_net, tmp_path, same_function, ops_of):
    net = new_net()
    x = net.relu(net.norm(net.conv(net.input(), (3, 2, 3, 3), pads=[1] * 4), 3))
    x = net.relu(net.node("Add", net.conv(x, (3, 3, 3, 3), pads=[1] * 4), x))
    model = net.model(net.gemm(net.node("Flatten", x), (108, 5)))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fused = onnx.load(tmp_path / "fused.onnx")
    assert "FusedConv" in ops_of(fused)
    canonical = same_function(fused, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32))
    assert ops_of(canonical) == ["Conv", "Relu", "Conv", "Add", "Relu", "Flatten", "Gemm"]
    assert len(inspect(fused).sites) == 2
