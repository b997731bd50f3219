"""``onnx2snn inspect``."""

import json

import numpy as np
import onnx
import pytest


def test_shows_what_it_is(files, invoke):
    answer = invoke("inspect", files.float)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == f"{files.float}: float, opset 17"
    assert "4 Conv" in answer.out
    assert "6 activation sites" in answer.out
    assert lines[-1] == "can be converted"


def test_nodes_stand_in_their_order(files, invoke):
    out = invoke("inspect", files.float).out
    places = [out.index(f" {name} ") for name in ("stem.conv", "stem.relu", "top.conv", "top.relu")]
    assert places == sorted(places)


def test_quantizers(files, invoke):
    answer = invoke("inspect", files.int8)
    assert answer.code == 0
    assert "QDQ, opset 17" in answer.out
    assert "levels up to" in answer.out


def test_json(files, invoke):
    answer = invoke("inspect", files.float, "--json")
    assert (answer.code, answer.err) == (0, "")
    content = json.loads(answer.out)
    assert content["schema"] == "onnx2snn.inspect/1"
    assert content["source"] == str(files.float)
    assert content["convertible"] is True
    assert content["operators"]["Conv"] == 4
    assert content["diagnostics"] == []
    assert [s["kind"] for s in content["sites"]].count("relu") == 4
    assert all(s["has_batch_norm_statistics"] for s in content["sites"] if s["kind"] == "relu")
    names = [n["name"] for n in content["nodes"]]
    assert {s["name"] for s in content["sites"]} <= set(names)
    assert names.index("stem.conv") < names.index("stem.relu") < names.index("top.relu")
    assert {n["region"] for n in content["nodes"]} == {"site", "time", "analog"}


def test_linear_pools_and_analog_nodes(files, invoke):
    def kinds(*options):
        content = json.loads(invoke("inspect", files.float, "--json", *options).out)
        return [s["kind"] for s in content["sites"]]

    assert kinds().count("average_pool") == 2
    assert kinds("--avgpool", "linear").count("average_pool") == 0
    assert kinds("--keep-analog", "top.relu").count("relu") == 3
    two = ("--keep-analog", "top.relu", "--keep-analog", "block.relu")
    assert kinds(*two).count("relu") == 2


@pytest.fixture
def inconvertible(files, folder):
    model = onnx.load(files.float)
    [_, second, third, *_] = [n for n in model.graph.node if n.op_type == "Relu"]
    second.op_type, third.op_type = "Softmax", "LogSoftmax"
    for node in (second, third):
        node.attribute.append(onnx.helper.make_attribute("axis", 0))
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return "net.onnx"


def test_what_cannot_be_converted(inconvertible, invoke):
    """Everything that stands in the way at once, each with a remedy; exit code 1."""
    answer = invoke("inspect", inconvertible)
    assert answer.code == 1
    assert answer.out.splitlines()[-1] == "cannot be converted as it is"
    assert "not supported" in answer.out
    lines = [line for line in answer.err.splitlines() if not line.startswith("info: ")]
    for line, op in zip(lines, ("Softmax", "LogSoftmax"), strict=True):
        assert line.startswith("error: ")
        assert f"({op})" in line
        assert "--keep-analog" in line


def test_what_cannot_be_converted_in_json(inconvertible, invoke):
    answer = invoke("inspect", inconvertible, "--json")
    assert (answer.code, answer.err) == (1, "")
    content = json.loads(answer.out)
    assert content["convertible"] is False
    assert [d["severity"] for d in content["diagnostics"]].count("error") == 2


def test_nothing_to_convert_is_explained(tiny, invoke, folder):
    model = tiny([("Identity", ["x"], ["y"], {})], x=("N", 3))
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    answer = invoke("inspect", "net.onnx")
    assert answer.code == 1
    assert "no activation" in answer.err


def test_the_share_of_the_work_in_time(files, invoke):
    """The first convolution and the last layer are computed once."""
    count = json.loads(invoke("inspect", files.float, "--json").out)["multiply_accumulates"]
    assert count["total"] == count["in_time"] + count["analog"]
    assert 0 < count["analog"] < count["in_time"]
    assert count["share_in_time"] == count["in_time"] / count["total"]
    assert count["unknown"] == []
    line = f"operations: {count['total']:,} multiply-accumulates for a sample, "
    assert line + f"{count['share_in_time']:.1%} in time" in invoke("inspect", files.float).out


def test_the_share_where_sizes_are_unknown(tiny, invoke, folder):
    nodes = [("Conv", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["y"], {})]
    sizes = ("N", 1, "H", "W")
    model = tiny(nodes, {"w": np.ones((1, 1, 2, 2), np.float32)}, x=sizes, y=sizes)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    assert "no layers with weights whose sizes are known" in invoke("inspect", "net.onnx").out
    count = json.loads(invoke("inspect", "net.onnx", "--json").out)["multiply_accumulates"]
    assert (count["total"], count["share_in_time"]) == (0, None)
    assert len(count["unknown"]) == 1
