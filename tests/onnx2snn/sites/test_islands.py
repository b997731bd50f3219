"""What becomes an island, with a warning, and what is refused, with a reason."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx2snn.frontend import canonicalise
from onnx2snn.sites import classify, find_sites, islands, refusals


@pytest.fixture
def survey():
    """Islands and refusals of a model."""

    def survey(model, keep_analog=()):
        graph = canonicalise(model).graph
        kept = frozenset(keep_analog)
        sites = find_sites(canonicalise(model), avgpool="linear", keep_analog=kept, diagnostics=[])
        regions = classify(graph, sites, kept)
        return islands(graph, regions, kept), refusals(graph, regions, kept)

    return survey


def place(net, build, where):
    """A node before, between or behind two populations."""
    x = net.input(shape=("N", 2, 6, 6))
    for name in ("before", "between", "behind"):
        if name == where:
            x = build(net, x)
        if name != "behind":
            x = net.relu(x, name=name)
    return net.model(x, check=False)


def odd(op, *constants, **attributes):
    def build(net, x):
        return net.node(op, x, *(net.const(c, dtype=None) for c in constants), name="odd",
                        **attributes)  # fmt: skip

    return build


def axes(*values):
    return np.array(values, np.int64)


def chain(net, *ops):
    x = net.relu(net.input())
    for i, op in enumerate(ops):
        x = net.relu(x, name=f"r{i}") if op == "Relu" else net.node(op, x, name=f"n{i}")
    return net.model(net.conv(net.relu(x, name="end"), (2, 2, 1, 1)))


def test_one_warning_says_all(new_net, survey):
    (told,), refused = survey(chain(new_net(), "Sigmoid"))
    assert refused == []
    assert (told.code, told.severity) == ("ANALOG_ISLAND", "warning")
    assert told.node == "'n0' (Sigmoid)"
    assert "means over the window" in told.what
    assert told.why == "it is not linear, and no population can stand for it"
    assert "Relu" in told.remedy


def test_neighbours_are_one_island(new_net, survey):
    (told,), _ = survey(chain(new_net(), "Sigmoid", "Neg", "Tanh", "Exp", "Abs", "Sin"))
    assert told.node == "'n0' (Sigmoid)"
    assert "with 'n2' (Tanh), 'n3' (Exp), 'n4' (Abs) and 1 more" in told.what


def test_a_population_between_makes_two(new_net, survey):
    found, _ = survey(chain(new_net(), "Sigmoid", "Relu", "Tanh"))
    assert [d.node for d in found] == ["'n0' (Sigmoid)", "'n2' (Tanh)"]


def test_branches_that_meet_are_one_island(new_net, survey):
    net = new_net()
    x = net.conv(net.relu(net.input()), (2, 2, 1, 1))
    y = net.node("Mul", net.node("Tanh", x, name="t"), net.node("Sigmoid", x, name="s"), name="m")
    (told,), refused = survey(net.model(net.relu(y)))
    assert refused == []
    assert told.node == "'t' (Tanh)"
    assert "with 's' (Sigmoid), 'm' (Mul)" in told.what


def test_what_was_asked_for_is_not_warned_of(new_net, survey):
    model = chain(new_net(), "Sigmoid", "Tanh")
    assert survey(model, ["n0", "n1"]) == ([], [])
    (told,), _ = survey(model, ["n0"])
    assert told.node == "'n1' (Tanh)"


@pytest.mark.parametrize("where", ["before", "behind"])
def test_at_the_ends_there_are_no_islands(new_net, survey, where):
    assert survey(place(new_net(), odd("Sigmoid"), where)) == ([], [])


# ---------------------------------------------------------------------------------------------

RANDOM = {
    "RandomNormalLike": odd("RandomNormalLike"),
    "RandomUniformLike": odd("RandomUniformLike"),
    "Bernoulli": odd("Bernoulli"),
    "RandomNormal": lambda n, x: n.node(
        "Add", x, n.node("RandomNormal", shape=[1, 2, 6, 6], name="odd")
    ),
    "Dropout": odd("Dropout", np.float32(0.5), np.array(True)),
}


@pytest.mark.parametrize("where", ["before", "between", "behind"])
@pytest.mark.parametrize("op", RANDOM)
def test_chance_is_refused_everywhere(new_net, survey, op, where):
    model = place(new_net(), RANDOM[op], where)
    for kept in ((), ("odd",)):
        found, (refused,) = survey(model, kept)
        assert found == []
        assert (refused.severity, refused.node) == ("error", f"'odd' ({op})")
        assert refused.remedy == "export the network for inference"


def test_batch_norm_in_training(new_net, survey):
    net = new_net()
    y = net.norm(net.relu(net.input()), 2, name="odd", training_mode=1)
    net.nodes[-1].output.extend(["mean", "variance"])
    _, (refused,) = survey(net.model(net.relu(y), check=False))
    assert refused.what == "it is in training mode"


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_recurrence(new_net, survey, op):
    net = new_net()
    x = net.relu(net.input(shape=("N", 3, 4)))
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    y = net.node(
        op, x, net.random(1, 5 * gates, 4), net.random(1, 5 * gates, 5), hidden_size=5, name="odd"
    )
    _, (refused,) = survey(net.model(y, check=False))
    assert refused.what == "recurrent layers are not supported"


MIXED = {
    "Softmax": odd("Softmax", axis=0),
    "Softmax from behind": odd("Softmax", axis=-4),
    "ArgMax": lambda n, x: n.node("Cast", n.node("ArgMax", x, name="odd"), to=1),
    "CumSum": odd("CumSum", np.int64(0)),
    "LayerNormalization": odd("LayerNormalization", np.ones(6, np.float32), axis=0),
    "LpNormalization": odd("LpNormalization", axis=0),
    "MeanVarianceNormalization": odd("MeanVarianceNormalization", axes=[0, 2, 3]),
    "ReduceMax": odd("ReduceMax"),
    "ReduceSumSquare": odd("ReduceSumSquare", axes(0, 1)),
    "Pow": odd("Pow", np.ones((3, 2, 6, 6), np.float32)),
    "PRelu": odd("PRelu", np.ones((3, 2, 6, 6), np.float32)),
    "Where": lambda n, x: n.node(
        "Where", n.const(np.ones((1, 1, 2, 6, 6)), dtype=bool), x, x, name="odd"
    ),
}


@pytest.mark.parametrize("where", ["before", "between"])
@pytest.mark.parametrize("case", MIXED)
def test_samples_must_not_mix(new_net, survey, case, where):
    model = place(new_net(), MIXED[case], where)
    found, (refused,) = survey(model)
    assert found == []
    assert refused.code == "UNSUPPORTED_NODE"
    assert "batch axis" in refused.what or "its constant has" in refused.what
    assert refused.remedy == "keep it as it is with --keep-analog odd"
    assert survey(model, ["odd"])[1] == []


@pytest.mark.parametrize("case", MIXED)
def test_behind_the_readout_they_may(new_net, survey, case):
    assert survey(place(new_net(), MIXED[case], "behind")) == ([], [])


UNKNOWN = {
    "Reshape": odd("Reshape", axes(-1, 1, 6, 6)),
    "Transpose": odd("Transpose", perm=[1, 0, 2, 3]),
    "Det": odd("Det"),
    "NonZero": lambda n, x: n.node("Cast", n.node("NonZero", x, name="odd"), to=1),
    "Slice": odd("Slice", axes(0), axes(1)),
    "Concat": lambda n, x: n.node("Concat", x, x, axis=0, name="odd"),
    "Einsum": odd("Einsum", equation="nchw->nchw"),
    "Gemm": lambda n, x: n.node("Gemm", n.node("Flatten", x), n.node("Flatten", x), name="odd"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_nobody_vouches_for_is_refused_between(new_net, survey, case):
    model = place(new_net(), UNKNOWN[case], "between")
    found, (refused,) = survey(model)
    assert found == []
    assert refused.node.startswith("'odd'")
    assert refused.remedy == "keep it as it is with --keep-analog odd"
    assert survey(model, ["odd"])[1] == []


@pytest.mark.parametrize("where", ["before", "between", "behind"])
def test_control_flow_is_refused_everywhere(new_net, survey, where):
    def build(net, x):
        def branch(name):
            made = helper.make_node("Neg", [x], [f"{name}_y"])
            out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
            return helper.make_graph([made], name, [], [out])

        flag = net.input("flag", (), TensorProto.BOOL)
        return net.node(
            "If", flag, name="odd", then_branch=branch("then"), else_branch=branch("other")
        )

    found, refused = survey(place(new_net(), build, where))
    assert found == []
    assert [d.what for d in refused] == ["control flow is not supported"]


def test_shapes_have_no_samples(new_net, survey):
    """Exporters compute shapes from the input; an axis of 0 is no batch there."""
    net = new_net()
    x = net.input(shape=("N", 2, "H", "W"))
    size = net.node("Slice", net.node("Shape", x), net.ints(2), net.ints(4), net.ints(0))
    low = net.node("ReduceMin", size, net.ints(0), keepdims=0)
    y = net.node("Mul", x, net.node("Cast", low, to=1))
    assert survey(net.model(net.relu(y), check=False))[1] == []
