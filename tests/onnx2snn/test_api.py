"""convert() and inspect(): what comes out, and what is refused with a remedy."""

import dataclasses

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import TensorProto, helper

import onnx2snn
from onnx2snn import api, convert, inspect
from onnx2snn.errors import (
    ConfigError,
    ModelFileError,
    PlanError,
    StrictError,
    UnsupportedModelError,
)
from onnx2snn.plan import ConversionPlan
from onnx2snn_runtime import SpikingSession

SIZE = (2, 6, 6)


def images(net, n=8):
    return net.rng.normal(size=(n, *SIZE)).astype(np.float32)


def two_populations(net, norm=False):
    x = net.conv(net.input(), (3, 2, 3, 3), bias=True, name="first")
    x = net.relu(net.norm(x, 3) if norm else x, name="a")
    x = net.conv(x, (3, 3, 3, 3), name="second")
    x = net.relu(net.norm(x, 3) if norm else x, name="b")
    return net.model(net.gemm(net.node("Flatten", x), (12, 4), name="head"))


def provenance(result):
    return [n.provenance["threshold"].split(" of ")[0] for n in result.plan.neurons]


# ---------------------------------------------------------------------------------------------
# What comes out.


def test_thresholds_without_data_come_from_batch_norm(new_net):
    net = new_net()
    result = convert(two_populations(net, norm=True), 8)
    assert provenance(result) == ["gaussian", "gaussian"]
    assert result.plan.timesteps_fixed
    assert not [d for d in result.diagnostics if d.severity == "warning"]


def test_or_from_quantizers(new_net):
    net = new_net(opset=17)
    given = [net.const(0.01), net.const(np.uint8(0), dtype=None)]
    x = net.node("QuantizeLinear", net.conv(net.input(), (3, 2, 3, 3)), *given, name="q")
    x = net.node("DequantizeLinear", x, *given)
    model = net.model(net.conv(x, (2, 3, 1, 1)))
    assert provenance(convert(model, 8))[0].startswith("quantizer")
    result = convert(model, 8, threshold="quantizer")
    np.testing.assert_allclose(result.plan.neurons[0].threshold, 2.55, rtol=1e-6)
    assert not result.plan.timesteps_fixed


def test_or_from_upper_bounds(new_net):
    net = new_net()
    x = net.node("Clip", net.conv(net.input(), (3, 2, 3, 3)), net.const(0.0), net.const(6.0))
    result = convert(net.model(net.conv(x, (2, 3, 1, 1))), 8)
    assert provenance(result) == ["bound"]
    np.testing.assert_array_equal(result.plan.neurons[0].threshold, [6.0])


def test_or_from_made_up_data_with_a_warning(new_net):
    net = new_net()
    model = two_populations(net)
    result = convert(model, 8)
    (told,) = [d for d in result.diagnostics if d.severity == "warning"]
    assert told.code == "SYNTHETIC_CALIBRATION"
    assert "2 populations" in told.what
    assert "--calibration-data" in told.remedy
    with pytest.raises(StrictError, match=r"synthetic.*--calibration-data"):
        convert(model, 8, strict=True)
    informed = convert(model, 8, strict=True, calibration_data=images(net))
    assert {d.severity for d in informed.diagnostics} == {"info"}


@pytest.mark.parametrize("timesteps", [1, 3])
def test_data_beat_batch_norm(new_net, timesteps):
    net = new_net()
    result = convert(two_populations(net, norm=True), timesteps, calibration_data=images(net))
    assert set(provenance(result)) <= {"search", "mmse"}  # as the contest ends
    assert SpikingSession(result.model).timesteps == timesteps
    (output,) = SpikingSession(result.model).run(images(net)).values()
    assert np.isfinite(output).all()


def test_the_source_is_not_changed(new_net):
    net = new_net()
    model = two_populations(net, norm=True)
    before = model.SerializeToString()
    graph = gs.import_onnx(model)
    nodes = [(n.op, n.name, len(n.inputs)) for n in graph.nodes]
    one, two = convert(model, 4), convert(graph, 4)
    assert model.SerializeToString() == before
    assert [(n.op, n.name, len(n.inputs)) for n in graph.nodes] == nodes
    x = images(net)
    assert_equal_outputs(one.model, two.model, x)


def assert_equal_outputs(one, two, x):
    for a, b in zip(
        SpikingSession(one).run(x).values(), SpikingSession(two).run(x).values(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
def test_a_plan_goes_through_json(new_net, avgpool):
    net = new_net()
    x = net.relu(net.conv(net.input(), (3, 2, 3, 3)), name="a")
    x = net.node("AveragePool", x, kernel_shape=[2, 2], pads=[0, 0, 1, 1], name="pool")
    model = net.model(net.relu(net.conv(x, (2, 3, 1, 1)), name="b"))
    made = convert(model, 5, calibration_data=images(net), avgpool=avgpool)
    again = convert(model, plan=ConversionPlan.from_json(made.plan.to_json()))
    assert again.model.SerializeToString() == made.model.SerializeToString()
    assert again.diagnostics == made.diagnostics


def test_an_edited_plan_is_what_is_emitted(new_net):
    net = new_net()
    model = two_populations(net)
    plan = convert(model, 5, calibration_data=images(net)).plan
    changed = dataclasses.replace(
        plan.neurons[1], threshold=np.array([7.0], np.float32), reset="zero"
    )
    plan = dataclasses.replace(plan, neurons=(plan.neurons[0], changed))
    spiking = convert(model, 99, plan=plan).model  # the plan's T counts
    assert SpikingSession(spiking).timesteps == 5
    constants = {t.name: t for t in spiking.graph.initializer}
    (node,) = [n for n in spiking.graph.node if n.name == "b"]
    theta = onnx.numpy_helper.to_array(constants[node.input[1]])
    np.testing.assert_array_equal(theta, [7.0])
    assert onnx.helper.get_node_attr_value(node, "reset") == b"zero"


def test_a_plan_of_another_model(new_net):
    plan = convert(two_populations(new_net(), norm=True), 4).plan
    with pytest.raises(PlanError, match="another model"):
        convert(two_populations(new_net(seed=1), norm=True), plan=plan)


def test_a_broken_emission_is_called_a_defect(new_net, monkeypatch):
    def broken(canonical, plan):
        model, said = onnx2snn.emit.emit(canonical, plan)
        model.graph.node[-1].input[0] = "nowhere"
        return model, said

    monkeypatch.setattr(api, "emit", broken)
    with pytest.raises(ModelFileError, match=r"not valid ONNX.*defect of onnx2snn; please report"):
        convert(two_populations(new_net(), norm=True), 4)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("onnx2snn/demo_data/digits_cnn_int8.onnx", 0.95),
        ("models/digits_cnn_int8_asymmetric.onnx", 0.95),
        ("models/digits_cnn_float.onnx", 0.95),
    ],
)
def test_accuracy_of_our_own_networks(pytestconfig, name, least):
    root = pytestconfig.rootpath
    with np.load(root / "onnx2snn/demo_data/digits_heldout.npz") as data:
        x, labels = data["images"] / np.float32(16), data["labels"]
    result = convert(root / name, 32, avgpool="linear")
    (logits,) = SpikingSession(result.model).run(x).values()
    assert (logits.argmax(axis=1) == labels).mean() >= least


# ---------------------------------------------------------------------------------------------
# What inspect tells.


def test_inspection(new_net):
    net = new_net(opset=13)
    x = net.relu(net.norm(net.conv(net.input(), (3, 2, 3, 3), name="conv"), 3), name="act")
    x = net.node("AveragePool", x, kernel_shape=[4, 4], name="pool")
    found = inspect(net.model(net.gemm(net.node("Flatten", x, name="flat"), (3, 4), name="head")))
    assert found.convertible
    assert (found.source.opset, found.source.dialects) == (13, ("float",))
    assert [(s.name, s.kind) for s in found.sites] == [("act", "relu"), ("pool", "average_pool")]
    assert found.regions == {
        "conv": "analog", "act": "site", "pool": "site", "flat": "analog", "head": "analog",
    }  # fmt: skip
    assert found.operators["head"] == "Gemm"
    linear = inspect(net.model(net.nodes[-1].output[0]), avgpool="linear")
    assert [s.kind for s in linear.sites] == ["relu"]


def test_inspection_does_not_raise_where_conversion_does(new_net):
    net = new_net()
    x = net.relu(net.input())
    for name in ("one", "two"):
        x = net.relu(net.node("Softmax", x, axis=0, name=name))
    model = net.model(x)
    found = inspect(model)
    assert not found.convertible
    errors = [d for d in found.diagnostics if d.severity == "error"]
    assert [d.node for d in errors] == ["'one' (Softmax)", "'two' (Softmax)"]
    assert inspect(model, keep_analog=["one", "two"]).convertible


@pytest.mark.parametrize("function", [convert, inspect])
def test_a_node_to_keep_that_is_not_there(new_net, function):
    with pytest.raises(ConfigError, match=r"no node 'nowhere'.*inspect"):
        function(two_populations(new_net()), keep_analog=["nowhere"])


# ---------------------------------------------------------------------------------------------
# What is refused.


def between(net, make):
    """A node between two populations."""
    x = net.relu(net.input(), name="a")
    x = make(net, x)
    return net.model(net.relu(x, name="b"), check=False, shape=[None] * 4)


def branch(name, outer):
    node = helper.make_node("Neg", [outer], [f"{name}_y"])
    out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
    return helper.make_graph([node], name, [], [out])


def conditional(net, x):
    flag = net.input("flag", (), TensorProto.BOOL)
    return net.node(
        "If", flag, name="odd", then_branch=branch("then", x), else_branch=branch("else", x)
    )


def loop(net, x):
    count, going = net.ints(3), net.input("flag", (), TensorProto.BOOL)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going_in"], ["going_out"]),
            helper.make_node("Neg", ["state_in"], ["state_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("going_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_in", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("going_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, None),
        ],
    )
    return net.node("Loop", count, going, x, name="odd", body=body)


def quantizer_for_each_channel(net, x):
    given = [net.const([0.01, 0.02]), net.const([0, 0], dtype=np.uint8)]
    x = net.node("QuantizeLinear", net.conv(x, (2, 2, 1, 1)), *given, axis=1, name="odd")
    return net.node("DequantizeLinear", x, *given, axis=1)


def foreign(net, x):
    net.domains = ["com.example"]
    return net.node("FusedConv", x, net.random(2, 2, 1, 1), domain="com.example", name="odd")


REFUSED = {
    "softmax over the batch": (
        lambda n, x: n.node("Softmax", x, axis=0, name="odd"), "Softmax", "--keep-analog odd",
    ),
    "reshape of the batch": (
        lambda n, x: n.node("Reshape", x, n.ints(-1, 1, 6, 6), name="odd"),
        "Reshape", "--keep-analog odd",
    ),
    "foreign domain": (foreign, "FusedConv", "float or QDQ"),
    "chance": (lambda n, x: n.node("Bernoulli", x, name="odd"), "Bernoulli", "for inference"),
    "if": (conditional, "If", "without it"),
    "loop": (loop, "Loop", "without it"),
}  # fmt: skip

ISLANDS = {
    "activation": (lambda n, x: n.node("Tanh", x, name="odd"), "Tanh"),
    "normalisation": (
        lambda n, x: n.node(
            "LayerNormalization", x, n.const(np.ones(6)), n.const(np.zeros(6)), name="odd"
        ),
        "LayerNormalization",
    ),
    "clip without lower bound": (
        lambda n, x: n.conv(
            n.node("Clip", n.conv(x, (2, 2, 1, 1)), "", n.const(1.0), name="odd"), (2, 2, 1, 1)
        ),
        "Clip",
    ),
    "matrix of computed tensors": (
        lambda n, x: n.node("MatMul", x, n.conv(x, (2, 2, 1, 1)), name="odd"), "MatMul",
    ),
    "product of computed tensors": (lambda n, x: n.node("Mul", x, x, name="odd"), "Mul"),
    "quantizer for each channel": (quantizer_for_each_channel, "QuantizeLinear"),
}  # fmt: skip


@pytest.mark.parametrize("case", ISLANDS)
def test_islands_are_warned_of_and_refused_in_strict_mode(new_net, run_stock, case):
    make, op = ISLANDS[case]
    model, feeds = between(new_net(), make), images(new_net(), 4)
    options = {"threshold": "max", "calibration_data": feeds}
    result = convert(model, 4, **options)
    (told,) = [d for d in result.diagnostics if d.code == "ANALOG_ISLAND"]
    assert told.node == f"'odd' ({op})"
    assert inspect(model).convertible
    with pytest.raises(StrictError, match="'odd'"):
        convert(model, 4, strict=True, **options)
    got, wanted = SpikingSession(result.model).run(feeds, 512)["b_out"], run_stock(model, feeds)[0]
    assert np.abs(got - wanted).max() < 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name_with_a_remedy(new_net, case):
    make, op, remedy = REFUSED[case]
    model = between(new_net(), make)
    with pytest.raises(UnsupportedModelError) as caught:
        convert(model, 4)
    assert caught.value.node == f"'odd' ({op})"
    assert remedy in caught.value.remedy
    assert len(str(caught.value).splitlines()) == 1
    found = inspect(model)
    assert not found.convertible
    assert [d.node for d in found.diagnostics if d.severity == "error"] == [f"'odd' ({op})"]


@pytest.mark.parametrize("case", [c for c, (_, _, r) in REFUSED.items() if "odd" in r])
def test_the_remedy_works(new_net, run_stock, case):
    net = new_net()
    model = between(net, REFUSED[case][0])
    feeds = images(net, 4)
    result = convert(model, 4, keep_analog=["odd"], threshold="max", calibration_data=feeds)
    got, wanted = SpikingSession(result.model).run(feeds, 512)["b_out"], run_stock(model, feeds)[0]
    assert np.abs(got - wanted).max() < 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize("make", [conditional, loop])
def test_control_flow_is_refused_even_on_demand(new_net, make):
    with pytest.raises(UnsupportedModelError, match="control flow"):
        convert(between(new_net(), make), 4, keep_analog=["odd"])


def test_the_file_and_all_nodes_are_named(new_net, tmp_path):
    net = new_net()
    x = net.relu(net.input())
    for i in range(8):
        x = net.relu(net.node("Softmax", x, axis=0, name=f"t{i}"))
    path = tmp_path / "net.onnx"
    onnx.save(net.model(x), path)
    with pytest.raises(UnsupportedModelError) as caught:
        convert(path, 4)
    text = str(caught.value)
    assert text.startswith(f"{path}: node 't0' (Softmax): it works along the batch axis (also 't1'")
    assert "'t5' (Softmax) and others)" in text
    assert "'t6'" not in text


@pytest.mark.parametrize("op", ["Conv", "Tanh", "MaxPool"])
def test_no_activation_at_all(new_net, op):
    net = new_net()
    x = net.conv(net.input(), (2, 2, 3, 3))
    if op != "Conv":
        x = net.node(op, x, **({"kernel_shape": [2, 2]} if op == "MaxPool" else {}))
    model = net.model(x)
    with pytest.raises(UnsupportedModelError, match=r"no activation.*Relu, Clip and quantizers"):
        convert(model, 4)
    assert not inspect(model).convertible


def test_every_activation_kept_analog(new_net):
    with pytest.raises(UnsupportedModelError, match="no activation"):
        convert(two_populations(new_net()), 4, keep_analog=["a", "b"])


def test_a_spiking_network_is_no_source(new_net):
    spiking = convert(two_populations(new_net(), norm=True), 4).model
    for function in (convert, inspect):
        with pytest.raises(ModelFileError, match=r"already.*onnx2snn run"):
            function(spiking)


@pytest.mark.parametrize("opset", [5, 30])
def test_an_opset_out_of_reach(new_net, opset):
    model = two_populations(new_net())
    model.opset_import[0].version = opset
    with pytest.raises(ModelFileError, match=f"opset {opset}, known are 7 to"):
        convert(model, 4)


def test_weights_that_are_no_numbers(new_net):
    net = new_net()
    w = np.ones((3, 2, 3, 3))
    w[1] = np.nan
    model = net.model(net.relu(net.node("Conv", net.input(), net.const(w), name="broken")))
    with pytest.raises(ModelFileError, match=r"'broken'.*NaN"):
        convert(model, 4)


def test_what_the_checker_refuses(new_net):
    model = two_populations(new_net())
    model.graph.node[0].attribute.append(helper.make_attribute("colour", 1))
    with pytest.raises(ModelFileError, match=r"not valid ONNX.*colour"):
        convert(model, 4)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_floats_are_converted(new_net, dtype):
    net = new_net()
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    x = net.node("Conv", net.input(dtype=dtype), net.const(np.ones((3, 2, 1, 1)), dtype=kind))
    model = net.model(net.relu(x, name="act"), dtype=dtype)
    result = convert(model, 4)
    assert "SINGLE_PRECISION" in {d.code for d in result.diagnostics}
    assert {i.type.tensor_type.elem_type for i in result.model.graph.input} <= {
        TensorProto.FLOAT,
        TensorProto.INT64,
    }
