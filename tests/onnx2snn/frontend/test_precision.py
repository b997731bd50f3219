"""Networks of other precisions are computed in float32."""

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnx2snn import inspect
from onnx2snn.frontend import canonicalise

TYPES = {
    "float16": (TensorProto.FLOAT16, np.float16, 2e-2),
    "bfloat16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16, 0),
    "double": (TensorProto.DOUBLE, np.float64, 1e-5),
}


def network(net, dtype):
    x = net.relu(net.conv(net.input(), (3, 2, 3, 3), bias=True))
    y = net.gemm(net.node("Flatten", x), (48, 5))
    for i, tensor in enumerate(net.initializers):
        values = numpy_helper.to_array(tensor).astype(dtype)
        net.initializers[i] = numpy_helper.from_array(values, tensor.name)
    return y


def all_float32(canonical):
    model = canonical.to_model()
    kinds = {t.data_type for t in model.graph.initializer} - {TensorProto.INT64}
    values = (*model.graph.input, *model.graph.output)
    return kinds | {v.type.tensor_type.elem_type for v in values} == {TensorProto.FLOAT}


@pytest.mark.parametrize("name", ["float16", "double"])
def test_the_whole_network(new_net, run_stock, name):
    kind, dtype, tolerance = TYPES[name]
    net = new_net()
    y = network(net, dtype)
    net.inputs[0].type.tensor_type.elem_type = kind
    model = net.model(y, shape=["N", 5], dtype=kind)
    canonical = canonicalise(model)
    x = net.rng.normal(size=(2, 2, 6, 6)).astype(dtype)
    wanted = ReferenceEvaluator(model).run(None, {"x": x})[0].astype(np.float32)
    got = run_stock(canonical.to_model(), x.astype(np.float32))[0]
    np.testing.assert_allclose(got, wanted, atol=tolerance)
    assert all_float32(canonical)
    (said,) = canonical.diagnostics
    assert (said.code, said.severity) == ("SINGLE_PRECISION", "info")
    assert (
        said.what == f"{name} in the source, computed in float32; float32 are now the inputs "
        f"and outputs x, {model.graph.output[0].name}"
    )
    assert model.graph.input[0].type.tensor_type.elem_type == kind  # the source is not changed
    assert inspect(model).convertible


@pytest.mark.parametrize("name", TYPES)
def test_weights_behind_a_cast(new_net, run_stock, ops_of, name):
    """As converters store them: half the size, cast to float32 in the network."""
    dtype = TYPES[name][1]
    net = new_net()
    w = net.rng.normal(size=(3, 2, 3, 3)).astype(dtype)
    cast = net.node("Cast", net.const(w, dtype=None), to=TensorProto.FLOAT)
    model = net.model(net.relu(net.node("Conv", net.input(), cast)))
    canonical = canonicalise(model)
    assert ops_of(canonical) == ["Conv", "Relu"]
    assert all_float32(canonical)
    np.testing.assert_array_equal(canonical.graph.nodes[0].inputs[1].values, w.astype(np.float32))
    (said,) = canonical.diagnostics
    assert said.what == f"{name} in the source, computed in float32"


def test_casts_to_and_fro(new_net, same_function, ops_of):
    net = new_net()
    x = net.node("Cast", net.input(), to=TensorProto.FLOAT16)
    x = net.node("Cast", net.relu(x), to=TensorProto.FLOAT)
    canonical = same_function(
        net.model(net.conv(x, (3, 2, 3, 3))),
        net.rng.integers(-9, 9, (2, 2, 6, 6)).astype(np.float32),
    )
    assert ops_of(canonical) == ["Relu", "Conv"]


def test_constant_nodes_and_bounds_beyond_float32(new_net, run_stock, ops_of):
    net = new_net()
    net.inputs.append(helper.make_tensor_value_info("x", TensorProto.DOUBLE, ("N", 4)))
    top = numpy_helper.from_array(np.array(np.finfo(np.float64).max))
    bounds = [net.const(np.float64(0), dtype=None), net.node("Constant", value=top)]
    y = net.node("Clip", "x", *bounds)
    canonical = canonicalise(net.model(y, dtype=TensorProto.DOUBLE, shape=["N", 4]))
    got = run_stock(canonical.to_model(), np.array([[-1, 0, 2, 1e30]], np.float32))[0]
    np.testing.assert_array_equal(got, np.array([[0, 0, 2, 1e30]], np.float32))


def test_bodies_of_control_flow(new_net, run_stock):
    net = new_net()
    x = net.input(shape=("N", 4))
    half = helper.make_tensor_value_info("y", TensorProto.FLOAT16, ("N", 4))
    branch = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)], "branch", [], [half]
    )
    condition = net.node("Greater", net.node("ReduceMax", x, keepdims=0), net.const(0.0))
    y = net.node("If", condition, then_branch=branch, else_branch=branch)
    model = net.model(net.node("Cast", y, to=TensorProto.FLOAT), shape=["N", 4])
    written = canonicalise(model).to_model()
    x = net.rng.normal(size=(2, 4)).astype(np.float32)
    np.testing.assert_array_equal(run_stock(written, x)[0], x)


def test_float32_is_not_mentioned(new_net):
    net = new_net()
    assert not canonicalise(net.model(network(net, np.float32))).diagnostics
