"""Local functions and opsets."""

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx2snn.errors import ModelFileError
from onnx2snn.frontend import canonicalise
from onnx2snn.frontend.lift import inline_functions, lift, prepare

QONNX = "qonnx.custom_op.general"


def with_function(net, domain, name, *nodes, opset=18):
    """A network that calls a function of one input and one output."""
    net.domains = [domain]
    y = net.node(name, net.input(shape=("N", 4)), domain=domain)
    model = net.model(y, check=False, shape=["N", 4])
    imports = [helper.make_opsetid("", opset)]
    model.functions.append(helper.make_function(domain, name, ["x"], ["y"], nodes, imports))
    return model


def test_functions_of_another_opset_are_converted(new_net, same_function, ops_of):
    squeeze = helper.make_node("Unsqueeze", ["x"], ["wide"], axes=[1])
    back = helper.make_node("Squeeze", ["wide"], ["y"], axes=[1])
    model = with_function(new_net(opset=18), "pkg", "Old", squeeze, back, opset=12)
    assert ops_of(inline_functions(model, (), None)).count("Squeeze") == 1
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    written = canonicalise(model).to_model()
    assert np.array_equal(onnx.reference.ReferenceEvaluator(written).run(None, {"x": x})[0], x)


def test_functions_that_a_dialect_knows_stay_calls(new_net, ops_of):
    """Some exporters give Quant a body; its meaning is known better by its name."""
    model = with_function(new_net(), QONNX, "Quant", helper.make_node("Identity", ["x"], ["y"]))
    inlined = inline_functions(model, {f"{QONNX}:Quant"}, None)
    assert ops_of(inlined) == ["Quant"]
    assert not inlined.functions
    assert len(model.functions) == 1


def test_functions_that_call_themselves(new_net):
    model = with_function(
        new_net(), "pkg", "Loop", helper.make_node("Loop", ["x"], ["y"], domain="pkg")
    )
    model.functions[0].opset_import.append(helper.make_opsetid("pkg", 1))
    with pytest.raises(ModelFileError, match=r"net.onnx: .*local functions"):
        inline_functions(model, (), "net.onnx")


def test_domains_that_are_not_imported(new_net):
    net = new_net()
    y = net.node("B", net.node("A", net.input(), domain="b.c"), domain="a.b")
    model = net.model(y, check=False, shape=["N"])
    prepare(model)
    assert [(o.domain, o.version) for o in model.opset_import] == [
        ("", 18),
        ("a.b", 1),
        ("b.c", 1),
    ]


def test_the_long_name_of_the_standard_domain(new_net, run_stock, ops_of):
    net = new_net(opset=13)
    x = net.node("Relu", net.input(), domain="ai.onnx")
    model = net.model(net.conv(x, (3, 2, 3, 3)), shape=["N", 3, 4, 4], check=False)
    model.opset_import[0].domain = "ai.onnx"
    canonical = canonicalise(model)
    assert [(n.op, n.domain or "") for n in canonical.graph.nodes] == [("Relu", ""), ("Conv", "")]
    x = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(run_stock(canonical.to_model(), x)[0], run_stock(model, x)[0])


def test_newer_models_stay_as_they_are(new_net):
    net = new_net(opset=21)
    model = net.model(net.relu(net.input()))
    assert lift(model, 18, None) is model
