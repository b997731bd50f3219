"""``onnx2snn verify``: tables, JSON, and exit codes 0, 3 and 1."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx2snn import convert


@pytest.fixture(scope="module")
def exact(files, tmp_path_factory):
    """Exact files by recipe, and one whose first population is shifted by one level."""
    folder = tmp_path_factory.mktemp("exact")
    for recipe in ("exact", "exact-radix"):
        convert(files.int8, recipe=recipe).save(folder / f"{recipe}.onnx")
    model = onnx.load(str(folder / "exact-radix.onnx"))
    first = next(n for n in model.graph.node if n.op_type == "StaircaseFire")
    table = next(t for t in model.graph.initializer if t.name == first.input[1])
    tau = numpy_helper.to_array(table)
    table.CopyFrom(numpy_helper.from_array(np.roll(tau, 1, axis=1), table.name))
    onnx.save(model, str(folder / "wrong.onnx"))
    return folder


@pytest.fixture
def options(files):
    data = ("--ann", files.int8, "--data", files.heldout, "--scale", "1/16")
    return (*data, "--samples", "4")


def test_equal(exact, options, invoke):
    answer = invoke("verify", exact / "exact.onnx", *options)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[-1].startswith("equal: all of ")
    assert "exact rational arithmetic" in lines[0]
    assert any(line.startswith("all at rest after step ") for line in lines)
    rows = [line.split("│")[1:-1] for line in lines if "QuantizeLinear" in line]
    assert [r[2].strip() for r in rows] == ["0"] * len(rows)
    assert all(r[1].strip().endswith("× 4") for r in rows)
    assert all(int(r[4]) > 0 for r in rows)


def test_different(exact, options, invoke):
    answer = invoke("verify", exact / "wrong.onnx", *options)
    assert (answer.code, answer.err) == (3, "")
    lines = answer.out.splitlines()
    assert lines[-1].startswith("different: ")
    (first,) = (line for line in lines if line.startswith("first difference: "))
    assert "stem" in first
    assert "from a rounding tie" in first
    content = json.loads(invoke("verify", exact / "wrong.onnx", *options, "--json").out)
    assert content["schema"] == "onnx2snn.verify/1"
    assert content["equal"] is False
    assert content["mismatches"] == sum(p["mismatches"] for p in content["populations"]) > 0
    assert content["first"]["population"] == content["populations"][0]["name"]
    assert f"index {content['first']['index']}" in first


def test_json(exact, options, invoke):
    answer = invoke("verify", exact / "exact-radix.onnx", *options, "--json")
    assert (answer.code, answer.err) == (0, "")
    content = json.loads(answer.out)
    assert content["equal"] is True
    assert (content["samples"], content["timesteps"], content["emission"]) == (4, 8, "radix")
    assert content["against"] == "rational"
    assert content["first"] is None


def test_backend_options(exact, options, invoke, refused):
    """They reach the simulation, and change no integer."""
    call = ("verify", exact / "exact-radix.onnx", *options, "--json")
    small = ("--backend", "stock", "--threads", "1", "--memory", "1MiB")
    assert invoke(*call, *small).out == invoke(*call).out
    refused(*call, "--provider", "NoSuchProvider", says=["NoSuchProvider"])


def test_against(exact, options, invoke):
    """The demo's pool has ties on which onnxruntime's kernel differs."""
    answer = invoke("verify", exact / "exact-radix.onnx", *options, "--against", "ort")
    assert answer.code == 3
    assert "onnxruntime's integer kernels" in answer.out
    assert "float32" in answer.out


def test_too_few_steps(exact, options, invoke):
    answer = invoke("verify", exact / "exact.onnx", *options, "-T", "9")
    assert answer.code == 3
    assert "still moving at step 9" in answer.out


def test_refusals(exact, files, options, refused):
    refused("verify", files.spiking, *options, says=[files.spiking, "--recipe exact"])
    refused("verify", files.int8, *options, says=[files.int8])
    refused("verify", "nowhere.onnx", *options, says=["nowhere.onnx"])
    other = ("--ann", files.float, "--data", files.heldout, "--scale", "1/16")
    refused("verify", exact / "exact-radix.onnx", *other, says=[files.float])
    refused("verify", exact / "exact-radix.onnx", *options, "-T", "9", says=["T = 9"])
    refused("verify", exact / "exact.onnx", "--data", files.heldout, code=2, remedy=False)
