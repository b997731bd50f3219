"""The file around the spiking graph: what survives, what is declared, what others make of it."""

import dataclasses
import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnx2snn
from onnx2snn.emit import emit
from onnx2snn.errors import PlanError, TimestepsError
from onnx2snn.frontend import canonicalise
from onnx2snn_runtime import SpikingSession

SIZE = (2, 6, 6)


def network(net, batch="N", size=SIZE, norm=False):
    """Two populations, a spiking pool, a fully connected layer."""
    x = net.input("image", (batch, *size))
    x = net.conv(x, (3, 2, 3, 3), bias=True, name="stem.conv")
    x = net.norm(x, 3, name="stem.norm") if norm else x
    x = net.relu(x, name="stem.act")
    x = net.node("AveragePool", x, kernel_shape=[2, 2], name="pool")
    x = net.relu(net.conv(x, (3, 3, 2, 2), bias=True, name="inner"), name="act")
    x = net.node("GlobalAveragePool", x, name="mean")
    x = net.node("Flatten", x, name="flat")
    return net.model(net.gemm(x, (3, 4), name="head"))


@pytest.fixture
def model(new_net):
    return network(new_net(opset=15))


def images(n=3, size=SIZE):
    return np.random.default_rng(0).normal(size=(n, *size)).astype(np.float32)


@pytest.fixture
def spiking(model, by_maximum):
    return by_maximum(model, images()).model


def test_names_survive(spiking):
    names = [n.name for n in spiking.graph.node]
    assert len(names) == len(set(names))
    kept = {"stem.conv", "stem.act", "pool", "inner", "act", "flat", "head"}
    assert kept <= set(names)
    assert all(names)
    kinds = {n.name: n.op_type for n in spiking.graph.node}
    assert (kinds["stem.act"], kinds["pool"]) == ("IntegrateFire", "SpikeAveragePool")
    session = SpikingSession(spiking)
    assert session.populations == ("stem.act", "pool", "act", "mean")
    assert [i.name for i in session.inputs] == ["image"]
    assert [o.name for o in session.outputs] == ["head_out"]
    assert [list(o.shape) for o in session.outputs] == [["N", 4]]
    assert spiking.graph.name == "net"


def test_documentation_and_metadata_survive(model, by_maximum):
    model.doc_string, model.graph.doc_string = "of the model", "of the graph"
    model.domain, model.model_version = "org.example", 12
    model.producer_name, model.producer_version = "exporter", "3.1"
    model.graph.input[0].doc_string, model.graph.output[0].doc_string = "pixels", "logits"
    helper.set_model_props(model, {"author": "me", "licence": "CC0"})
    for node in model.graph.node:
        node.doc_string = f"about {node.name}"
    spiking = by_maximum(model, images()).model
    assert (spiking.doc_string, spiking.graph.doc_string) == ("of the model", "of the graph")
    assert (spiking.domain, spiking.model_version) == ("org.example", 12)
    assert spiking.graph.input[0].doc_string == "pixels"
    assert spiking.graph.output[0].doc_string == "logits"
    docs = {n.name: n.doc_string for n in spiking.graph.node}
    assert docs["stem.conv"] == "about stem.conv"
    assert docs["head"] == "about head"
    props = {p.key: p.value for p in spiking.metadata_props}
    assert (props["author"], props["licence"]) == ("me", "CC0")
    assert props["org.onnx2snn.source_producer"] == "exporter 3.1"
    assert spiking.producer_name == "onnx2snn"


def test_every_spiking_node_is_described_for_people(spiking):
    docs = {n.name: n.doc_string for n in spiking.graph.node if n.domain}
    assert all(docs.values())
    assert docs["stem.act"].startswith("Replaces stem.act (relu). Threshold ")
    assert "threshold: max of 3 samples from data" in docs["stem.act"]
    assert "places averaged" in docs["pool"]
    assert docs["stem.conv_out.encode"] == "The value is a constant current at every time step."


def test_provenance(model, by_maximum):
    result = by_maximum(model, images(), timesteps=5)
    props = {p.key.removeprefix("org.onnx2snn."): p.value for p in result.model.metadata_props}
    assert props["source_digest"] == result.source.digest == result.plan.source_digest
    assert json.loads(props["config"])["timesteps"] == 5
    assert props["timesteps"] == "free"
    assert props["plan_schema"] == "1"


def test_the_same_model_gives_the_same_bytes(model, by_maximum):
    one, two = (by_maximum(model, images()).model.SerializeToString() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("opset", [7, 13, 18, 21, 23])
def test_other_tools_accept_the_file(new_net, by_maximum, run_stock, opset):
    net = new_net(opset=opset)
    spiking = by_maximum(network(net), images()).model
    onnx.checker.check_model(spiking, full_check=True)
    onnx.shape_inference.infer_shapes(spiking, strict_mode=True, data_prop=True, check_type=True)
    imports = {o.domain: o.version for o in spiking.opset_import}
    assert imports == {"": max(18, opset), "org.onnx2snn": 1}
    used = {n.op_type for n in spiking.graph.node if n.domain}
    assert {f.name for f in spiking.functions} == used
    (stock,) = run_stock(spiking, images())
    (plain,) = ReferenceEvaluator(spiking).run(None, {"image": images()})
    np.testing.assert_allclose(stock, plain, rtol=1e-4, atol=1e-5)


def test_functions_that_others_call_are_in_the_file(new_net, by_maximum):
    net = new_net()
    x = net.node("AveragePool", net.relu(net.input("image")), kernel_shape=[2, 2])
    spiking = by_maximum(net.model(x), images()).model
    assert [f.name for f in spiking.functions] == [
        "DirectEncode", "IntegrateFire", "SpikeAveragePool", "SpikeDecode",
    ]  # fmt: skip


def test_free_timesteps_are_an_optional_input(spiking, run_stock):
    assert [i.name for i in spiking.graph.input] == ["image", "timesteps"]
    (value,) = [t for t in spiking.graph.initializer if t.name == "timesteps"]
    assert numpy_helper.to_array(value) == 4
    assert numpy_helper.to_array(value).dtype == np.int64
    x = images()
    by_default = run_stock(spiking, x)[0]
    four, nine = (
        run_stock(spiking, {"image": x, "timesteps": np.array(t, np.int64)})[0] for t in (4, 9)
    )
    np.testing.assert_array_equal(by_default, four)
    assert (four != nine).any()


def test_fixed_timesteps_are_no_input(new_net, run_stock):
    model = network(new_net(), norm=True)
    result = onnx2snn.convert(model, 6, threshold="mmse", calibration_data=images())
    assert result.plan.timesteps_fixed
    spiking = result.model
    assert [i.name for i in spiking.graph.input] == ["image"]
    assert run_stock(spiking, images())[0].shape == (3, 4)
    props = {p.key: p.value for p in spiking.metadata_props}
    assert props["org.onnx2snn.timesteps"] == "fixed"
    session = SpikingSession(spiking)
    assert session.timesteps == 6
    with pytest.raises(TimestepsError, match="T = 6 and cannot run at T = 7"):
        session.run(images(), 7)


@pytest.mark.parametrize("batch", [1, "N", "samples"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_any_batch(new_net, by_maximum, run_stock, batch, n):
    spiking = by_maximum(network(new_net(), batch), images()).model
    x = images(n)
    (together,) = run_stock(spiking, x)
    alone = [run_stock(spiking, x[i : i + 1])[0] for i in range(n)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-5, atol=1e-6)
    dims = [v.type.tensor_type.shape.dim[0].dim_param for v in
            (*spiking.graph.input[:1], *spiking.graph.output)]  # fmt: skip
    assert dims == ["N" if batch == 1 else batch] * 2


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
def test_free_height_and_width(new_net, run_stock, avgpool, error_at, by_maximum):
    model = network(new_net(), size=(2, "H", "W"))
    result = by_maximum(model, images(), avgpool=avgpool)
    dims = result.model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["N", 2, "H", "W"]
    for size in [(2, 6, 6), (2, 9, 5)]:
        x = images(2, size)
        assert error_at(result.model, run_stock(model, x), x, 256) < 0.3
        assert run_stock(result.model, x)[0].shape == (2, 4)


def test_free_height_and_width_converge(new_net, run_stock, error_at, by_maximum):
    x = images(3, (2, 9, 5))
    net = new_net()
    y = net.relu(net.conv(net.input("image", ("N", 2, "H", "W")), (3, 2, 3, 3), pads=[1] * 4))
    y = net.node("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])
    model = net.model(net.relu(net.conv(y, (3, 3, 3, 3), auto_pad="SAME_UPPER")))
    spiking = onnx2snn.convert(model, 4, threshold="max", calibration_data={"image": x}).model
    assert {n.op_type for n in spiking.graph.node} >= {"SpikeAveragePool"}
    errors = [error_at(spiking, run_stock(model, x), x, t) for t in (8, 512)]
    assert errors[1] < min(0.02, errors[0] / 4)


@pytest.fixture
def planned(model, by_maximum):
    """The canonical form of a model, and a plan."""
    return canonicalise(model), by_maximum(model, images()).plan


def replaced(plan, **changes):
    return dataclasses.replace(
        plan, neurons=(dataclasses.replace(plan.neurons[0], **changes), *plan.neurons[1:])
    )


def test_the_canonical_graph_is_not_changed(planned):
    canonical, plan = planned
    before = canonical.to_model().SerializeToString()
    one, _ = emit(canonical, plan)
    assert canonical.to_model().SerializeToString() == before
    two, _ = emit(canonical, plan)
    assert one.SerializeToString() == two.SerializeToString()


def test_a_plan_of_another_model(planned, new_net):
    _, plan = planned
    with pytest.raises(PlanError, match=r"another model.*make the plan again"):
        emit(canonicalise(network(new_net(seed=1))), plan)


@pytest.mark.parametrize("field", ["threshold", "v_init", "amplitude"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(planned, field, value):
    canonical, plan = planned
    broken = getattr(plan.neurons[0], field).copy()
    broken.reshape(-1)[1] = value
    with pytest.raises(PlanError, match=rf"'stem.act'.*{field} must be finite"):
        emit(canonical, replaced(plan, **{field: broken}))


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_thresholds_that_are_not_positive(planned, value):
    canonical, plan = planned
    with pytest.raises(PlanError, match="threshold positive"):
        emit(canonical, replaced(plan, threshold=np.full((3, 1, 1), value, np.float32)))


@pytest.mark.parametrize("shape", [(2, 1, 1), (3,), (1, 3, 1, 1), (4,), (3, 1), (4, 1, 1)])
@pytest.mark.parametrize("field", ["threshold", "v_init", "amplitude"])
def test_shapes_that_do_not_fit(planned, field, shape):
    # Three values for a map four wide would be refused late, four would be taken for columns.
    canonical, plan = planned
    with pytest.raises(PlanError, match=rf"'stem.act'.*{field} does not fit"):
        emit(canonical, replaced(plan, **{field: np.ones(shape, np.float32)}))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (3, 1, 1), (1, 4, 4), (3, 4, 4)])
def test_shapes_that_fit(planned, shape, run_stock):
    canonical, plan = planned
    value = np.random.default_rng(0).uniform(1, 2, shape).astype(np.float32)
    spiking, _ = emit(canonical, replaced(plan, v_init=value))
    onnx.checker.check_model(spiking, full_check=True)
    trace = SpikingSession(spiking).trace(images(), populations=["stem.act"])
    reference = SpikingSession(spiking, backend="reference").trace(images())
    assert (trace.spikes["stem.act"] == reference.spikes["stem.act"]).mean() > 0.99


def test_as_many_neurons_as_sites(planned):
    canonical, plan = planned
    with pytest.raises(PlanError, match="differ in number"):
        emit(canonical, dataclasses.replace(plan, neurons=plan.neurons[:-1]))


def test_names_that_are_taken_already(new_net, run_stock, by_maximum, error_at):
    """Our names for new nodes and tensors step aside."""
    net = new_net()
    x = net.input("image", ("N", *SIZE))
    taken = ["image.encode", "image.encoded", "a.spikes", "a.v_final", "a.scale", "b.decode"]
    for name in taken[:3]:
        x = net.conv(x, (2, 2, 1, 1), name=name)
    x = net.relu(x, name="a")
    for name in taken[3:]:
        x = net.conv(x, (2, 2, 1, 1), name=name)
    theta = net.const(np.ones((2, 1, 1)), "a.theta")
    x = net.relu(net.node("Mul", x, theta, name="a.amplitude"), name="b")
    model = net.model(net.conv(x, (2, 2, 1, 1), name="b.scale"))
    for node in model.graph.node:  # tensors take the names of our tensors too
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name in {"a.spikes_out", "image.encoded_out"}:
                    names[i] = name.removesuffix("_out")
    spiking = by_maximum(model, images()).model
    names = [n.name for n in spiking.graph.node]
    assert len(set(names)) == len(names)
    assert {"a", "b", *taken} <= set(names)
    assert error_at(spiking, run_stock(model, images()), images(), 512) < 0.02


def test_two_nodes_of_one_name(new_net, by_maximum, run_stock, error_at):
    net = new_net()
    x = net.conv(net.input("image", ("N", *SIZE)), (2, 2, 1, 1))
    x = net.relu(net.conv(net.relu(x, name="a"), (2, 2, 1, 1)), name="b")
    model = net.model(net.conv(x, (2, 2, 1, 1)))
    wanted = run_stock(model, images())
    for node in model.graph.node:  # onnxruntime would refuse it now
        node.name = "same"
    spiking = by_maximum(model, images()).model
    names = [n.name for n in spiking.graph.node]
    assert len(set(names)) == len(names)
    assert error_at(spiking, wanted, images(), 512) < 0.02
