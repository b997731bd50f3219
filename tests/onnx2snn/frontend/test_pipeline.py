"""From any opset, batch and way of writing constants to the canonical graph."""

import hashlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn import inspect
from onnx2snn.errors import ModelFileError
from onnx2snn.frontend import canonicalise, read_source
from onnx2snn.frontend.pipeline import LOWEST_TARGET_OPSET


def everything(net, batch="N"):
    """Convolution, batch norm, clip, pools, reshape, dropout, fully connected, softmax."""
    opset = net.opset
    x = net.conv(net.input(shape=(batch, 2, 8, 8)), (4, 2, 3, 3), bias=True, pads=[1] * 4)
    x = net.norm(x, 4)
    x = (
        net.node("Clip", x, min=0.0, max=1.0)
        if opset < 11
        else net.node("Clip", x, net.const(0.0), net.const(1.0))
    )
    x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.relu(net.norm(net.conv(x, (5, 4, 3, 3)), 5))
    axes = [2, 3]
    x = (
        net.node("ReduceMean", x, axes=axes, keepdims=1)
        if opset < 18
        else net.node("ReduceMean", x, net.ints(*axes), keepdims=1)
    )
    x = net.node("Squeeze", x, axes=axes) if opset < 13 else net.node("Squeeze", x, net.ints(*axes))
    x = net.node("Reshape", net.node("Dropout", x), net.ints(-1, 5))
    return net.node("Softmax", net.gemm(x, (5, 3)), axis=1)


OPS = [
    "Conv", "Clip", "AveragePool", "Conv", "Relu", "AveragePool", "Squeeze", "Flatten", "Gemm",
    "Softmax",
]  # fmt: skip


@pytest.mark.parametrize("opset", range(7, 27))
def test_every_opset(new_net, same_function, ops_of, opset):
    net = new_net(opset=opset)
    model = net.model(everything(net))
    canonical = same_function(model, net.rng.normal(size=(2, 2, 8, 8)).astype(np.float32))
    assert ops_of(canonical) == OPS
    assert canonical.graph.opset == max(opset, LOWEST_TARGET_OPSET)
    assert canonical.source.opset == opset
    assert canonical.to_model().ir_version == model.ir_version


@pytest.mark.parametrize("batch", [1, "N"])
def test_initializers_listed_as_inputs(new_net, same_function, ops_of, batch):
    net = new_net(opset=8, ir=3)
    y = everything(net, batch)
    for tensor in net.initializers:
        net.inputs.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )
    model = net.model(y)
    assert len(model.graph.input) > 10
    canonical = same_function(model, {"x": net.rng.normal(size=(2, 2, 8, 8)).astype(np.float32)})
    assert ops_of(canonical) == OPS
    assert [i.name for i in canonical.source.inputs] == ["x"]


def test_constants_written_as_nodes(new_net, same_function, ops_of):
    net = new_net()
    y = everything(net)
    made = [helper.make_node("Constant", [], [t.name], value=t) for t in net.initializers]
    net.nodes, net.initializers = made + net.nodes, []
    canonical = same_function(net.model(y), net.rng.normal(size=(2, 2, 8, 8)).astype(np.float32))
    assert ops_of(canonical) == OPS


def test_constants_that_are_computed(new_net, same_function, ops_of):
    net = new_net()
    scale = net.node("Sqrt", net.node("Mul", net.const(2.0), net.const(8.0)))
    w = net.node("Mul", net.random(3, 2, 3, 3), scale)
    w = net.node("Transpose", w, perm=[0, 1, 3, 2])
    model = net.model(net.relu(net.node("Conv", net.input(), w)))
    canonical = same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32))
    assert ops_of(canonical) == ["Conv", "Relu"]


@pytest.mark.parametrize("batch", [1, 4, None, "", "N", "batch_size"])
def test_any_batch_becomes_free(new_net, run_stock, assert_close, batch):
    net = new_net()
    model = net.model(everything(net, batch))
    written = canonicalise(model).to_model()
    x = net.rng.normal(size=(4, 2, 8, 8)).astype(np.float32)
    parts = x.reshape(-1, 1, 2, 8, 8) if batch == 1 else [x]
    wanted = np.concatenate([run_stock(model, part)[0] for part in parts])
    assert_close([run_stock(written, x)[0]], [wanted])
    assert_close([run_stock(written, x[:3])[0]], [wanted[:3]])
    for value in (*written.graph.input, *written.graph.output):
        symbol = value.type.tensor_type.shape.dim[0].dim_param
        assert symbol == (batch if batch in {"N", "batch_size"} else symbol) != ""


def test_two_inputs_of_fixed_batch(new_net, same_function):
    net = new_net()
    left = net.conv(net.input("left", (1, 2, 4, 4)), (3, 2, 3, 3))
    right = net.conv(net.input("right", (1, 1, 4, 4)), (3, 1, 3, 3))
    model = net.model(net.relu(net.node("Add", left, right)))
    feeds = {
        "left": net.rng.normal(size=(3, 2, 4, 4)).astype(np.float32),
        "right": net.rng.normal(size=(3, 1, 4, 4)).astype(np.float32),
    }
    same_function(model, feeds)


def test_free_height_and_width_keep_their_names(new_net, same_function):
    net = new_net()
    x = net.input(shape=("batch", 2, "height", "width"))
    model = net.model(net.relu(net.norm(net.conv(x, (3, 2, 3, 3), pads=[1] * 4), 3)))
    canonical = same_function(model, net.rng.normal(size=(2, 2, 5, 9)).astype(np.float32))
    (info,) = canonical.to_model().graph.input
    dims = [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
    assert dims == ["batch", 2, "height", "width"]


def test_the_source_is_not_changed(new_net):
    net = new_net(opset=9)
    model = net.model(everything(net, 1))
    before = model.SerializeToString()
    canonicalise(model)
    assert model.SerializeToString() == before


def test_what_must_survive_is_remembered(new_net):
    net = new_net(opset=13)
    model = net.model(everything(net))
    model.doc_string, model.graph.doc_string = "model doc", "graph doc"
    model.producer_name, model.producer_version = "exporter", "1.2"
    model.domain, model.model_version = "org.example", 7
    model.graph.node[0].doc_string = "the first"
    helper.set_model_props(model, {"author": "me", "licence": "CC0"})
    source = canonicalise(model, "net.onnx").source
    assert source.file == "net.onnx"
    assert source.digest == hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    assert (source.doc_string, source.graph_doc_string) == ("model doc", "graph doc")
    assert (source.producer, source.dialects) == ("exporter 1.2", ("float",))
    assert (source.domain, source.model_version) == ("org.example", 7)
    assert source.metadata == {"author": "me", "licence": "CC0"}
    assert source.node_docs == {model.graph.node[0].name: "the first"}
    assert [o.name for o in source.outputs] == [model.graph.output[0].name]
    assert source.operators["Conv"] == 2


def test_node_names_are_kept_and_made_unique(new_net):
    net = new_net()
    x = net.conv(net.input(), (3, 2, 3, 3), name="a")
    for _ in range(3):
        x = net.relu(x)
    model = net.model(net.conv(x, (2, 3, 2, 2), name="Relu_2"))
    for node, name in zip(model.graph.node, ["a", "", "a", "b", "Relu_2"], strict=True):
        node.name = name
    names = [n.name for n in canonicalise(model).graph.nodes]
    assert len(set(names)) == 5
    assert (names[0], names[3], names[4]) == ("a", "b", "Relu_2")
    assert all(names)


def test_shapes_that_contradict_each_other(new_net):
    net = new_net()
    y = net.node("Gemm", net.relu(net.input(shape=("N", 4))), net.random(5, 3))
    model = net.model(y, shape=["N", 3])
    with pytest.raises(ModelFileError, match=r"^net.onnx: has shapes that do not fit"):
        canonicalise(model, "net.onnx")


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_foreign_operators_pass_and_are_judged_later(new_net, opset):
    net = new_net(opset=opset)
    net.domains = ["com.microsoft"]
    y = net.node("Gelu", net.input(), domain="com.microsoft", name="gelu")
    y = net.node("Softmax", net.norm(y, 2), axis=1)
    model = net.model(y, check=False, shape=["N", 2, 6, 6])
    canonical = canonicalise(model)
    assert canonical.graph.opset == LOWEST_TARGET_OPSET
    assert next(n for n in canonical.graph.nodes if n.name == "gelu").domain == "com.microsoft"
    errors = [d for d in inspect(model).diagnostics if d.severity == "error"]
    assert any(d.node == "'gelu' (Gelu)" and "com.microsoft" in d.what for d in errors)


def test_what_cannot_be_lifted(new_net):
    net = new_net(opset=8)
    parameters = [net.const(np.ones((2, 6, 6))) for _ in range(4)]
    y = net.node("BatchNormalization", net.input(), *parameters, spatial=0)
    with pytest.raises(ModelFileError, match=r"opset 8 to 18.*export it for opset 18"):
        canonicalise(net.model(net.relu(y), check=False, shape=["N", 2, 6, 6]))


def test_a_constant_part_that_cannot_be_computed_says_nothing_on_standard_output(new_net, capfd):
    net = new_net()
    broken = net.node("Gather", net.const(np.ones(3)), net.ints(7))
    y = net.node("Mul", net.relu(net.input(shape=("N", 3))), broken)
    canonicalise(net.model(y))
    assert capfd.readouterr().out == ""


def test_quantized_constants_that_cannot_be_computed(new_net):
    net = new_net()
    net.domains = ["qonnx.custom_op.general"]
    w = net.node("BipolarQuant", net.random(3, 2), net.const(1.0), domain=net.domains[0])
    w = net.node("Transpose", w, perm=[2, 0, 1])
    model = net.model(net.node("MatMul", net.input(), w), check=False, shape=["N"])
    with pytest.raises(ModelFileError, match=r"^net.onnx: a Transpose of constants cannot be"):
        canonicalise(model, "net.onnx")


def test_an_output_that_is_a_quantized_constant(new_net, run_stock):
    net = new_net()
    grid = [net.const(0.5), net.const(np.uint8(3), dtype=None)]
    q = net.node("QuantizeLinear", net.const(np.arange(4)), *grid)
    model = net.model(net.relu(net.input()), net.node("DequantizeLinear", q, *grid))
    x = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    got = run_stock(canonicalise(model, keep_integers=True).to_model(), x)
    for one, other in zip(got, run_stock(model, x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_in_other_fields_than_raw_data(new_net, same_function, ops_of):
    net = new_net()
    y = net.conv(net.input(), (3, 2, 3, 3))
    values = numpy_helper.to_array(net.initializers[0])
    plain = helper.make_tensor("c0", TensorProto.FLOAT, values.shape, values.reshape(-1))
    assert not plain.raw_data
    net.initializers[0] = plain
    model = net.model(net.relu(y))
    assert isinstance(model, onnx.ModelProto)
    same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32))


def test_one_constant_part_that_cannot_be_computed_hinders_no_other(new_net, ops_of):
    """Foreign operators on constants are left out of constant folding."""
    net = new_net()
    net.domains = ["com.example"]
    strange = net.node("Strange", net.const(2.0), domain="com.example")
    y = net.node("Add", net.relu(net.input()), net.node("Sqrt", net.const(4.0)))
    model = net.model(net.node("Mul", y, strange), check=False, shape=["N", 2, 6, 6])
    assert sorted(ops_of(canonicalise(model))) == ["Add", "Mul", "Relu", "Strange"]


def function_of(name, domain, opset, *nodes, inputs=("x",), outputs=("y",)):
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(domain, 1)]
    return helper.make_function(domain, name, inputs, outputs, nodes, imports)


@pytest.mark.parametrize("opset", [13, 18])
def test_local_functions_are_written_out(new_net, same_function, ops_of, opset):
    """As torch exports modules: a function may call another one."""
    net = new_net(opset=opset)
    net.domains = ["pkg"]
    x = net.node("Block", net.conv(net.input(), (3, 2, 3, 3)), domain="pkg")
    model = net.model(net.conv(x, (2, 3, 1, 1)), check=False, shape=["N", 2, 4, 4])
    twice = helper.make_node("Add", ["a", "a"], ["y"])
    act = helper.make_node("Act", ["x"], ["a"], domain="pkg")
    model.functions.append(function_of("Block", "pkg", opset, act, twice))
    relu = helper.make_node("Relu", ["x"], ["y"])
    model.functions.append(function_of("Act", "pkg", opset, relu))
    onnx.checker.check_model(model)
    canonical = same_function(model, net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32))
    assert ops_of(canonical) == ["Conv", "Relu", "Add", "Conv"]
    assert canonical.source.operators == {"Conv": 2, "Relu": 1, "Add": 1}
    assert (
        canonical.source.digest
        == hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    )


def test_preprocessing_inside(new_net, same_function, ops_of):
    """Bytes with channels last, brought to size, centred and scaled before the first layer."""
    net = new_net()
    x = net.input(shape=("N", 8, 8, 3), dtype=TensorProto.UINT8)
    x = net.node("Cast", x, to=TensorProto.FLOAT)
    x = net.node("Sub", x, net.const([123.0, 116.0, 103.0]))
    x = net.node("Div", x, net.const([58.0, 57.0, 57.5]))
    x = net.node("Transpose", x, perm=[0, 3, 1, 2])
    x = net.node("Resize", x, "", net.const([1, 1, 0.5, 0.5]), mode="linear")
    x = net.relu(net.conv(net.node("Mul", x, net.const(0.5)), (4, 3, 3, 3)))
    model = net.model(net.conv(x, (2, 4, 2, 2)))
    images = net.rng.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    canonical = same_function(model, images)
    ops = ops_of(canonical)
    assert ops[-3:] == ["Conv", "Relu", "Conv"]
    assert {"Cast", "Transpose", "Resize"} < set(ops[:-3])
    assert canonical.graph.inputs[0].dtype == np.uint8


def test_several_inputs_and_outputs(new_net, same_function, ops_of):
    net = new_net()
    left = net.relu(net.conv(net.input("left", ("N", 2, 4, 4)), (3, 2, 3, 3)))
    right = net.node("Flatten", net.input("right", ("N", 3, 2, 2)))
    joined = net.node("Concat", net.node("Flatten", left), right, axis=1)
    first, second = net.gemm(joined, (24, 5)), net.gemm(joined, (24, 2))
    feeds = {
        "left": net.rng.normal(size=(3, 2, 4, 4)).astype(np.float32),
        "right": net.rng.normal(size=(3, 3, 2, 2)).astype(np.float32),
    }
    ops = ops_of(same_function(net.model(first, second, left), feeds))
    assert sorted(ops) == ["Concat", "Conv", "Flatten", "Flatten", "Gemm", "Gemm", "Relu"]


def test_external_data(new_net, same_function, tmp_path, run_stock, assert_close):
    net = new_net()
    model = net.model(everything(net))
    x = net.rng.normal(size=(2, 2, 8, 8)).astype(np.float32)
    wanted = run_stock(model, x)
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    assert (tmp_path / "weights.bin").stat().st_size > 1000
    assert_close(run_stock(canonicalise(*read_source(path)).to_model(), x), wanted)
