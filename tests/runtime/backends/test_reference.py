"""The reference backend: NumPy definitions for our ops, bodies for everybody else's."""

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends.reference import operator
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.opspec import DOMAIN, OPS


def load(model):
    return BACKENDS.get("reference")(model, BackendOptions())


def test_runs_the_definition_and_not_the_body(network, images, simulate):
    """A wrong body changes nothing: the oracle does not look at it."""
    model = network()
    for function in model.functions:
        del function.node[1:]
    (answer,) = load(model).run(["answer"], {"image": images})
    np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])


def test_keeps_functions_of_other_domains(network, images, simulate):
    model = network()
    negate = '<opset_import: ["" : 17], domain: "else.where">\nNegate (a) => (b) { b = Neg (a) }'
    model.functions.append(onnx.parser.parse_function(negate))
    model.opset_import.append(helper.make_opsetid("else.where", 1))
    model.graph.node[-1].output[0] = "decoded"
    model.graph.node.append(
        helper.make_node("Negate", ["decoded"], ["answer"], domain="else.where")
    )
    (answer,) = load(model).run(["answer"], {"image": images})
    np.testing.assert_array_equal(answer, -simulate(images, 4)["mean"][-1])


def test_outputs_in_the_order_asked_for(network, images):
    answer, fire = load(network()).run(["answer", "fire"], {"image": images})
    assert (answer.shape, fire.shape) == ((5, 3), (20, 2, 4, 4))


def test_defaults_apply(network, images, simulate):
    model = network()
    for node in model.graph.node:
        if OPS.find(node.op_type) and node.op_type != "SpikeAveragePool":
            del node.attribute[:]
    (answer,) = load(model).run(["answer"], {"image": images})
    np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])


def test_operator(spec):
    kind = operator(spec)
    assert (kind.__name__, kind.op_domain) == (spec.name, DOMAIN)


def test_unknown_op(network):
    model = network()
    model.graph.node[1].op_type = "Abacus"
    with pytest.raises(BackendError, match="Abacus"):
        load(model)


def test_failure_while_running(network):
    executable = load(network())
    with pytest.raises(BackendError, match="cannot run"):
        executable.run(["answer"], {"image": np.ones((1, 1, 9, 9), np.float32)})
