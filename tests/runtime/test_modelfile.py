"""Reading files safely: every defect is a ModelFileError of one line that names the file."""

import os

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnx2snn_runtime import modelfile
from onnx2snn_runtime.errors import ModelFileError
from onnx2snn_runtime.modelfile import parse_model, read_model

VALUES = np.arange(6, dtype=np.float32)


def plain_model(where="initializer"):
    """y = x + w with one op set; w stands in an initializer or in a Constant node."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [6], VALUES.tobytes(), raw=True)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 6]) for n in "xy"]
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    if where == "constant":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    kept = [tensor] if where == "initializer" else []
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def external_model(where="initializer", **entries):
    """The plain model with w in another file."""
    model = plain_model(where)
    graph = model.graph
    tensor = graph.initializer[0] if where == "initializer" else graph.node[0].attribute[0].t
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return model


def refusal(path):
    """The message of the error that reading the file must raise."""
    with pytest.raises(ModelFileError) as error:
        read_model(path)
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    assert error.value.file == str(path)
    return text


@pytest.fixture
def folder(tmp_path):
    """A folder with good data files, and beside it a secret one."""
    inside = tmp_path / "models"
    (inside / "deep").mkdir(parents=True)
    (inside / "w.bin").write_bytes(VALUES.tobytes())
    (inside / "deep" / "w.bin").write_bytes(VALUES.tobytes())
    (tmp_path / "secret.bin").write_bytes(VALUES.tobytes())
    return inside


def save(folder, model):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_reads_a_model(folder):
    model = plain_model()
    path = save(folder, model)
    assert read_model(path) == model
    assert read_model(str(path)) == model
    assert parse_model(path.read_bytes()) == model


@pytest.mark.parametrize("where", ["initializer", "constant"])
@pytest.mark.parametrize("location", ["w.bin", "deep/w.bin", "./w.bin"])
def test_loads_external_data(folder, location, where, monkeypatch, tmp_path):
    path = save(folder, external_model(where, location=location))
    monkeypatch.chdir(tmp_path)  # locations count from the model, not from here
    model = read_model(path)
    graph = model.graph
    tensor = graph.initializer[0] if where == "initializer" else graph.node[0].attribute[0].t
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), VALUES)


def test_loads_a_part_of_a_file(folder):
    (folder / "all.bin").write_bytes(b"head" + VALUES.tobytes() + b"tail")
    path = save(folder, external_model(location="all.bin", offset=4, length=24))
    tensor = read_model(path).graph.initializer[0]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), VALUES)


def test_missing(tmp_path):
    assert "No such file" in refusal(tmp_path / "gone.onnx")


def test_a_file_used_as_a_folder(folder):
    assert "Not a directory" in refusal(folder / "w.bin" / "model.onnx")


def test_folder(folder):
    assert "is a folder" in refusal(folder)


def test_empty_path():
    with pytest.raises(ModelFileError):
        read_model("")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe(tmp_path):
    """Reading one would wait for ever."""
    path = tmp_path / "pipe.onnx"
    os.mkfifo(path)
    assert "not an ONNX file" in refusal(path)


def test_nul_in_path():
    with pytest.raises(ModelFileError) as error:
        read_model("mo\0del.onnx")
    assert "cannot be read" in str(error.value)


def test_empty(tmp_path):
    path = tmp_path / "empty.onnx"
    path.touch()
    assert "is empty" in refusal(path)


def test_line_break_in_the_name(tmp_path):
    path = tmp_path / "two\nlines.onnx"
    path.touch()
    with pytest.raises(ModelFileError) as error:
        read_model(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        np.random.default_rng(0).bytes(500),
        b"#!/usr/bin/env python\nprint('no model')\n",
        b"\x89PNG\r\n\x1a\n" + bytes(32),
        b"\x80\x04\x95",
    ],
    ids=["random", "text", "image", "pickle"],
)
def test_other_bytes(tmp_path, data):
    path = tmp_path / "other.onnx"
    path.write_bytes(data)
    assert "ONNX" in refusal(path)


@given(data=st.binary(max_size=60))
def test_any_bytes(data):
    """Bytes either hold a graph or are refused; nothing else happens."""
    text = "any.onnx: "
    try:
        assert parse_model(data, "any.onnx").HasField("graph")
    except ModelFileError as error:
        text = str(error)
    assert text.startswith("any.onnx: ")
    assert "\n" not in text


@pytest.mark.parametrize(
    "text", ["producer", "graph document", "attribute", "symbol", "domain", "operator"]
)
def test_text_that_is_not_utf8(tmp_path, text):
    """Wherever it stands, numbers aside."""
    model = plain_model()
    model.producer_name, model.graph.doc_string = "producer", "graph document"
    node = model.graph.node[0]
    node.attribute.append(helper.make_attribute("attribute", 1))
    node.op_type, node.domain = "operator", "domain"
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "symbol"
    damaged = text[:-1].encode() + b"\xff"
    path = tmp_path / "text.onnx"
    path.write_bytes(model.SerializeToString())
    read_model(path)
    path.write_bytes(path.read_bytes().replace(text.encode(), damaged))
    assert "UTF-8" in refusal(path)


def test_truncated_anywhere():
    data = plain_model().SerializeToString()
    for length in range(len(data)):
        with pytest.raises(ModelFileError):
            parse_model(data[:length])
    assert parse_model(data)


def test_truncated_file(folder):
    path = folder / "short.onnx"
    path.write_bytes(plain_model().SerializeToString()[:-20])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize("field", ["graph", "opset_import"])
def test_no_graph(folder, field):
    model = plain_model()
    model.ClearField(field)
    assert "no ONNX graph" in refusal(save(folder, model))


def test_too_large(folder, monkeypatch):
    monkeypatch.setattr(modelfile, "LARGEST_MESSAGE", 100)
    assert "external data" in refusal(save(folder, plain_model()))


@pytest.mark.parametrize("where", ["initializer", "constant"])
class TestRefusedExternalData:
    def test_missing(self, folder, where):
        text = refusal(save(folder, external_model(where, location="gone.bin")))
        assert "gone.bin" in text
        assert " w" in text.replace("'", " ")  # the tensor

    def test_folder(self, folder, where):
        assert "deep" in refusal(save(folder, external_model(where, location="deep")))

    @pytest.mark.parametrize("location", ["../secret.bin", "deep/../../secret.bin"])
    def test_escaping(self, folder, where, location):
        assert "outside" in refusal(save(folder, external_model(where, location=location)))

    def test_absolute(self, folder, where):
        for target in (folder.parent / "secret.bin", folder / "w.bin"):
            assert str(target) in refusal(save(folder, external_model(where, location=target)))

    def test_link_to_a_file_outside(self, folder, where):
        (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
        assert "link.bin" in refusal(save(folder, external_model(where, location="link.bin")))

    def test_link_to_a_folder_outside(self, folder, where):
        (folder / "up").symlink_to(folder.parent)
        text = refusal(save(folder, external_model(where, location="up/secret.bin")))
        assert "outside" in text

    def test_no_location(self, folder, where):
        refusal(save(folder, external_model(where)))
        refusal(save(folder, external_model(where, location="")))

    @pytest.mark.parametrize(
        "entries",
        [
            {"offset": 999},
            {"offset": -4},
            {"offset": "four"},
            {"length": 10**15},
        ],
    )
    def test_senseless_range(self, folder, where, entries):
        refusal(save(folder, external_model(where, location="w.bin", **entries)))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "link.bin", "gone.bin", ""])
def test_our_own_check_comes_first(folder, location, monkeypatch):
    """Not every onnx version refuses by itself what points outside."""
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    asked = []
    monkeypatch.setattr(onnx, "load_external_data_for_model", lambda *a: asked.append(a))
    refusal(save(folder, external_model(location=location)))
    assert asked == []


@pytest.mark.parametrize("size", [0, 10, 20, 28])
def test_external_data_of_another_size(folder, size):
    (folder / "w.bin").write_bytes(bytes(size))
    assert "external data" in refusal(save(folder, external_model(location="w.bin")))


def test_nul_in_location(folder):
    refusal(save(folder, external_model(location="w.bin\0")))


def test_refuse_external_data():
    modelfile.refuse_external_data(plain_model())
    with pytest.raises(ModelFileError) as error:
        modelfile.refuse_external_data(external_model(location="w.bin"))
    assert "'w'" in str(error.value)
