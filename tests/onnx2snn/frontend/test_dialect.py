"""The registry of dialects."""

import itertools

import pytest

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise
from onnx2snn.frontend.dialect import DIALECTS, qualified


def test_no_operator_belongs_to_two_dialects():
    for one, other in itertools.combinations(DIALECTS, 2):
        assert not one.operators.keys() & other.operators.keys()
    assert {d.name for d in DIALECTS} >= {"QDQ", "QOperator", "QONNX", "integer products"}


@pytest.mark.parametrize("domain", ["", "ai.onnx", None])
def test_standard_operators_have_no_prefix(domain):
    assert qualified(domain, "Conv") == "Conv"
    assert qualified("com.microsoft", "Conv") == "com.microsoft:Conv"


@pytest.mark.parametrize("domain", ["", "com.example"])
def test_a_domain_tells_dialects_apart(new_net, domain):
    """Another domain's Quant is not QONNX's, and its QuantizeLinear not ONNX's."""
    net = new_net()
    y = net.node("QuantizeLinear", net.input(), net.const(1.0), domain=domain)
    model = net.model(net.node("Quant", y, domain=domain), check=False, shape=["N"])
    assert [d.name for d in DIALECTS if d.occurs_in(model)] == ([] if domain else ["QDQ"])


FOREIGN = [(d, op, n) for d in DIALECTS for op, n in d.operators.items() if ":" in op and n > 1]


@pytest.mark.parametrize(("dialect", "name", "least"), FOREIGN)
def test_nodes_without_their_inputs_are_refused(new_net, dialect, name, least):
    """Nobody else checks operators of foreign domains."""
    net = new_net()
    domain, op = name.split(":")
    net.domains = [domain]
    y = net.node(op, *[net.input()] * (least - 1), domain=domain, name="bare")
    model = net.model(y, check=False, shape=["N", 2, 6, 6])
    with pytest.raises(UnsupportedModelError, match=rf"'bare' \({op}\): it has {least - 1} inputs"):
        canonicalise(model)
