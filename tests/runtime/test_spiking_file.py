"""Files that are no spiking files of this op set are refused in one line."""

import onnx
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime import BackendError, ModelFileError, SpikingSession
from onnx2snn_runtime.opspec import DOMAIN


def test_no_spiking_file(tmp_path, one_line):
    node = helper.make_node("Relu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3]) for n in "xy"]
    graph = helper.make_graph([node], "plain", values[:1], values[1:])
    path = tmp_path / "plain.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), path)
    with pytest.raises(ModelFileError) as error:
        SpikingSession(path)
    text = one_line(error)
    assert text.startswith(str(path))
    assert "not a spiking ONNX file" in text
    assert "onnx2snn convert" in text


def test_newer_op_set(network, one_line):
    model = network()
    for entry in model.opset_import:
        if entry.domain == DOMAIN:
            entry.version = 2
    with pytest.raises(ModelFileError) as error:
        SpikingSession(model)
    text = one_line(error)
    assert "version 2" in text
    assert "newer onnx2snn" in text


def test_unknown_op(network, one_line):
    model = network()
    model.graph.node[2].op_type = "FutureFire"
    with pytest.raises(ModelFileError) as error:
        SpikingSession(model)
    text = one_line(error)
    assert "FutureFire" in text
    assert "newer onnx2snn" in text


@pytest.mark.parametrize("field", ["input", "output"])
def test_another_number_of_inputs_or_outputs(network, field, one_line):
    model = network()
    node = next(n for n in model.graph.node if n.domain == DOMAIN)
    getattr(node, field).pop()
    with pytest.raises(ModelFileError) as error:
        SpikingSession(model)
    text = one_line(error)
    assert node.name in text
    assert node.op_type in text


def test_an_output_of_no_type(network, one_line):
    model = network()
    model.graph.output[0].ClearField("type")
    with pytest.raises(ModelFileError) as error:
        _ = SpikingSession(model).outputs
    assert model.graph.output[0].name in one_line(error)


def test_same_name_in_another_domain(network):
    """Only our own domain's ops are judged."""
    model = network()
    model.graph.node[1].op_type, model.graph.node[1].domain = "FutureFire", "else.where"
    with pytest.raises(BackendError):
        SpikingSession(model)


@pytest.mark.parametrize("fixed", [False, True])
def test_no_timesteps(network, fixed, one_line):
    model = network(fixed=fixed)
    assert model.graph.initializer.pop().name == "timesteps"
    with pytest.raises(ModelFileError) as error:
        SpikingSession(model)
    assert "timesteps" in one_line(error)


def test_missing_file(tmp_path, one_line):
    with pytest.raises(ModelFileError) as error:
        SpikingSession(tmp_path / "gone.onnx")
    assert "gone.onnx" in one_line(error)


def test_damaged_bytes(network):
    with pytest.raises(ModelFileError):
        SpikingSession(network().SerializeToString()[:200])


@pytest.mark.parametrize("kind", ["bytes", "proto"])
def test_external_data_in_memory(network, kind, tmp_path, monkeypatch, one_line):
    """A model in memory has no folder; the working directory is not meant."""
    monkeypatch.chdir(tmp_path)
    model = network()
    tensor = model.graph.initializer[0]
    (tmp_path / "conv.bin").write_bytes(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, "conv.bin")
    tensor.ClearField("raw_data")
    with pytest.raises(ModelFileError) as error:
        SpikingSession(model.SerializeToString() if kind == "bytes" else model)
    assert "'conv'" in one_line(error)
