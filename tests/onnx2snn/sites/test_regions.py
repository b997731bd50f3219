"""Which part of the network lives in time, and what cannot live there."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise
from onnx2snn.sites import Region, classify, find_sites, islands, refusals

ANALOG, TIME, SITE = Region.ANALOG.value, Region.TIME.value, Region.SITE.value


@pytest.fixture
def survey():
    """Regions by node name, and what is said of them."""

    def survey(model, keep_analog=(), avgpool="linear"):
        canonical = canonicalise(model)
        kept = frozenset(keep_analog)
        sites = find_sites(canonical, avgpool=avgpool, keep_analog=kept, diagnostics=[])
        regions = classify(canonical.graph, sites, kept)
        problems = refusals(canonical.graph, regions, kept)
        problems += islands(canonical.graph, regions, kept)
        return {k: v.value for k, v in regions.items()}, problems

    return survey


def test_a_chain_is_analog_at_both_ends(new_net, survey):
    net = new_net()
    x = net.conv(net.input(shape=("N", 2, 8, 8)), (2, 2, 3, 3), name="first")
    x = net.relu(x, name="a")
    x = net.conv(x, (2, 2, 3, 3), name="middle")
    x = net.relu(x, name="b")
    x = net.node("AveragePool", x, kernel_shape=[2, 2], name="pool")
    x = net.conv(x, (2, 2, 3, 3), name="last")
    model = net.model(net.node("Softmax", x, axis=1, name="softmax"))
    assert survey(model) == (
        {
            "first": ANALOG, "a": SITE, "middle": TIME, "b": SITE, "pool": ANALOG,
            "last": ANALOG, "softmax": ANALOG,
        },
        [],
    )  # fmt: skip
    assert survey(model, avgpool="spiking")[0]["pool"] == SITE


def test_a_skip_from_the_input_is_analog_and_the_sum_in_time(new_net, survey):
    net = new_net()
    x = net.input()
    skip = net.conv(x, (2, 2, 1, 1), name="skip")
    y = net.conv(net.relu(x, name="a"), (2, 2, 1, 1), name="inner")
    y = net.relu(net.node("Add", y, skip, name="sum"), name="b")
    regions, problems = survey(net.model(net.conv(y, (2, 2, 1, 1), name="last")))
    assert regions == {
        "skip": ANALOG, "a": SITE, "inner": TIME, "sum": TIME, "b": SITE, "last": ANALOG,
    }  # fmt: skip
    assert problems == []


def test_a_sum_at_the_end_is_behind_the_readout(new_net, survey):
    net = new_net()
    x = net.relu(net.input(), name="a")
    y = net.relu(net.conv(x, (2, 2, 1, 1), name="inner"), name="b")
    y = net.node("Add", net.conv(x, (2, 2, 1, 1), name="left"), y, name="sum")
    assert survey(net.model(y))[0] == {
        "a": SITE, "inner": TIME, "b": SITE, "left": ANALOG, "sum": ANALOG,
    }  # fmt: skip


def test_an_output_in_the_middle_leaves_the_rest_in_time(new_net, survey):
    net = new_net()
    x = net.conv(net.relu(net.input(), name="a"), (2, 2, 1, 1), name="inner")
    y = net.conv(net.relu(x, name="b"), (2, 2, 1, 1), name="last")
    regions, _ = survey(net.model(x, y))
    assert regions == {"a": SITE, "inner": TIME, "b": SITE, "last": ANALOG}


def test_what_is_kept_analog_and_its_surroundings(new_net, survey):
    net = new_net()
    x = net.conv(net.relu(net.input(), name="a"), (2, 2, 1, 1), name="before")
    x = net.node("LpPool", x, kernel_shape=[2, 2], name="odd")
    x = net.conv(x, (2, 2, 1, 1), name="behind")
    x = net.conv(net.relu(x, name="b"), (2, 2, 1, 1), name="last")
    model = net.model(x)
    regions, problems = survey(model, ["odd"])
    assert regions == {
        "a": SITE, "before": ANALOG, "odd": ANALOG, "behind": ANALOG, "b": SITE, "last": ANALOG,
    }  # fmt: skip
    assert problems == []
    on_their_own, (told,) = survey(model)
    assert on_their_own == regions
    assert (told.node, told.code) == ("'odd' (LpPool)", "ANALOG_ISLAND")


@pytest.mark.parametrize("op", ["Sigmoid", "Softmax", "LogSoftmax", "LpNormalization", "Det"])
def test_any_operator_is_fine_behind_the_readout(new_net, survey, op):
    net = new_net()
    y = net.node(op, net.conv(net.relu(net.input()), (2, 2, 1, 1)), name="end")
    regions, problems = survey(net.model(y))
    assert regions["end"] == ANALOG
    assert problems == []


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "Sqrt"])
def test_and_before_the_first_population(new_net, survey, op):
    net = new_net()
    model = net.model(net.relu(net.node(op, net.input(), name="begin")))
    regions, problems = survey(model)
    assert regions["begin"] == ANALOG
    assert problems == []


@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_a_foreign_operator_is_refused_everywhere(new_net, survey, place):
    net = new_net()
    net.domains = ["com.example"]
    x = net.input()
    for name in ("before", "between", "behind"):
        if place == name:
            x = net.node("Relu", x, domain="com.example", name="odd")
        if name != "behind":
            x = net.relu(x, name=name)
    model = net.model(x, check=False, shape=["N", 2, 6, 6])
    _, (problem,) = survey(model)
    assert problem.node == "'odd' (Relu)"
    assert "domain com.example" in problem.what
    assert problem.remedy == "write the network in float or QDQ form"


def test_a_passive_quantizer_is_fine(new_net, survey):
    net = new_net(opset=17)
    given = [net.const(0.1), net.const(np.int8(0), dtype=None)]
    x = net.conv(net.relu(net.input(), name="a"), (2, 2, 1, 1))
    x = net.node("QuantizeLinear", x, *given, name="q")
    x = net.node("DequantizeLinear", x, *given, name="d")
    model = net.model(net.relu(net.conv(x, (2, 2, 1, 1)), name="b"))
    regions, problems = survey(model)
    assert (regions["q"], regions["d"]) == (TIME, TIME)
    assert problems == []


@pytest.mark.parametrize("zero", [0, 100])
def test_a_quantizer_for_each_channel_is_an_island(new_net, survey, zero):
    # With zero points of zero it may have absorbed a Relu: it must not vanish silently.
    net = new_net(opset=17)
    given = [net.const([0.1, 0.2]), net.const([zero] * 2, dtype=np.uint8)]
    x = net.conv(net.relu(net.input(), name="a"), (2, 2, 1, 1))
    x = net.node("QuantizeLinear", x, *given, name="q", axis=1)
    x = net.node("DequantizeLinear", x, *given, name="d", axis=1)
    regions, (told,) = survey(net.model(net.relu(net.conv(x, (2, 2, 1, 1)), name="b")))
    assert (regions["q"], regions["d"]) == (ANALOG, ANALOG)
    assert told.node == "'q' (QuantizeLinear)"
    assert "scale" in told.why


@pytest.mark.parametrize("dtype", [3, 6])
def test_activations_of_integers_are_refused(new_net, survey, dtype):
    net = new_net()
    x = net.relu(net.input(dtype=dtype), name="a")
    (problem,) = survey(net.model(x, dtype=dtype))[1]
    assert problem.node == "'a' (Relu)"
    assert {3: "int8", 6: "int32"}[dtype] in problem.what
    assert "float32" in problem.remedy
