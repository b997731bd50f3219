"""What is no trained network is refused, with a remedy."""

import ml_dtypes
import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn import convert
from onnx2snn.errors import ModelFileError
from onnx2snn.frontend import read_source
from onnx2snn.frontend.source import operator_counts


@pytest.fixture
def model(new_net):
    net = new_net()
    y = net.relu(net.conv(net.input(), (3, 2, 3, 3)), name="act")
    return net.model(net.conv(y, (2, 3, 2, 2), name="last"))


def test_a_model_a_graph_and_a_path(model, tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    assert read_source(path) == (model, str(path))
    assert read_source(str(path)) == (model, str(path))
    assert read_source(model) == (model, None)
    of_graph, file = read_source(gs.import_onnx(model))
    assert file is None
    assert [n.name for n in of_graph.graph.node] == [n.name for n in model.graph.node]


@pytest.mark.parametrize("opset", [1, 6, 27, 99])
def test_unknown_opset(model, opset):
    model.opset_import[0].version = opset
    with pytest.raises(ModelFileError, match=f"opset {opset}, known are 7 to 26.*another opset"):
        read_source(model)


def test_no_opset_at_all(model):
    model.opset_import[0].domain = "com.example"
    with pytest.raises(ModelFileError, match=r"opset none"):
        read_source(model)


def test_spiking_already(model):
    spiking = convert(model, 2).model
    with pytest.raises(ModelFileError, match=r"spiking network already.*onnx2snn run"):
        read_source(spiking)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_node", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
def test_weights_that_are_no_numbers(model, value, as_node, dtype):
    broken = np.ones((3, 2), dtype)
    broken[1, 1] = value
    tensor = numpy_helper.from_array(broken, "broken")
    if as_node:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["broken"], value=tensor))
    else:
        model.graph.initializer.append(tensor)
    model.graph.node.append(helper.make_node("Shape", ["broken"], ["shape"], name="reader"))
    with pytest.raises(ModelFileError, match=r"'reader'.*'broken' hold NaN or infinity.*again"):
        read_source(model)


def test_a_tensor_of_the_wrong_size(model):
    model.graph.initializer[0].raw_data = b"1234567"
    with pytest.raises(ModelFileError, match="c0"):
        read_source(model)


def test_no_nodes(model):
    del model.graph.node[:]
    with pytest.raises(ModelFileError, match="without nodes"):
        read_source(model)


@pytest.mark.parametrize("field", ["input", "output"])
def test_no_inputs_or_outputs(model, field):
    model.graph.ClearField(field)
    with pytest.raises(ModelFileError, match="without inputs or outputs"):
        read_source(model)


def test_nodes_in_the_wrong_order(model):
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    with pytest.raises(ModelFileError, match="not valid ONNX"):
        read_source(model)


def test_unknown_attribute(model):
    model.graph.node[1].attribute.append(helper.make_attribute("colour", 3))
    with pytest.raises(ModelFileError, match=r"not valid ONNX.*colour"):
        read_source(model)


def test_a_cycle(model):
    model.graph.node[0].input[0] = "act_out"
    with pytest.raises(ModelFileError, match="not valid ONNX"):
        read_source(model)


@pytest.mark.parametrize("place", ["input", "tensor", "initializer"])
def test_the_name_that_spiking_files_need(new_net, place):
    net = new_net()
    x = net.input("timesteps" if place == "input" else "x")
    w = net.const(np.ones((3, 2, 3, 3)), "timesteps" if place == "initializer" else "w")
    y = net.node("Relu", net.node("Conv", x, w))
    if place == "tensor":
        net.nodes[0].output[0] = net.nodes[1].input[0] = "timesteps"
    with pytest.raises(ModelFileError, match=r"'timesteps'.*rename"):
        read_source(net.model(y))


def test_operators_are_counted_by_frequency_and_domain(new_net):
    net = new_net()
    net.domains = ["com.example"]
    y = net.relu(net.relu(net.input()))
    y = net.node("Odd", y, domain="com.example")
    model = net.model(y, check=False)
    assert list(operator_counts(model).items()) == [("Relu", 2), ("com.example:Odd", 1)]


def test_external_data_of_a_model_in_memory(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(ModelFileError, match="c0"):
        read_source(model)


@pytest.mark.parametrize("field", ["input", "output", "value_info"])
def test_an_unknown_element_type(model, field):
    model.graph.value_info.append(helper.make_tensor_value_info("act_out", TensorProto.FLOAT, None))
    getattr(model.graph, field)[0].type.tensor_type.elem_type = 99
    with pytest.raises(ModelFileError, match=r"unknown type 99.*again"):
        read_source(model)


def test_an_output_that_is_given_twice(model):
    model.graph.output.append(model.graph.output[0])
    with pytest.raises(ModelFileError, match=r"'last_out' 2 times"):
        read_source(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_attribute_that_is_no_number(new_net, value):
    net = new_net()
    model = net.model(net.node("LeakyRelu", net.input(), alpha=value, name="leaky"))
    with pytest.raises(ModelFileError, match=r"'leaky'.*'alpha' holds NaN or infinity.*again"):
        read_source(model)


def test_a_bound_may_be_infinite(new_net):
    net = new_net(opset=10)
    model = net.model(net.node("Clip", net.input(), min=0.0, max=np.inf))
    assert read_source(model)[0] is model


def test_a_forgotten_import_hides_no_defect(new_net):
    net = new_net()
    y = net.node("Odd", net.relu(net.input(), name="act"), domain="com.example")
    model = net.model(y, check=False, shape=("N", 2, 6, 6))
    assert read_source(model)[0] is model
    model.graph.node[0].output.append("second")
    with pytest.raises(ModelFileError, match=r"not valid ONNX.*act"):
        read_source(model)
