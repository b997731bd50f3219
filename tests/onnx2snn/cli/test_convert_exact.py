"""``onnx2snn convert --recipe exact`` and its kin."""

import json

import onnx
import pytest

from onnx2snn_runtime import SpikingSession

DEFAULTS = {"exact-asg": 128, "exact-radix": 8}


@pytest.mark.parametrize("recipe", ["exact", "exact-asg", "exact-radix"])
def test_what_is_written(invoke, files, recipe):
    answer = invoke("convert", files.int8, "--recipe", recipe, "-o", "x.onnx", "--json")
    assert (answer.code, answer.err) == (0, "")
    content = json.loads(answer.out)
    assert content["timesteps_fixed"] is (recipe != "exact")
    assert content["timesteps"] == DEFAULTS.get(recipe, content["timesteps"])
    assert {p["neuron"] for p in content["populations"]} == {"staircase"}
    assert all(p["threshold_min"] is None for p in content["populations"])
    assert SpikingSession("x.onnx").timesteps == content["timesteps"]


def test_what_is_printed(invoke, files):
    answer = invoke("convert", files.int8, "--recipe", "exact", "-T", "30", "-o", "x.onnx")
    assert answer.code == 0
    text = " ".join((answer.out + answer.err).split())
    assert "T = 30 (T can be changed at run time)" in text
    assert "levels" in text
    assert "T = 30 is less than the" in text
    assert "onnx2snn verify" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("exact-radix", "-T", "7"), "takes T = 8, the number of bits, not 7"),
        (("exact-asg", "-T", "100"), "needs T of at least 128"),
        (("exact", "--threshold", "mmse"), "takes no threshold"),
        (("exact", "--arithmetic", "float"), "arithmetic"),
        (("auto", "--arithmetic", "ort"), "takes no arithmetic"),
        (("exact-bits",), "exact-bits"),
    ],
)
def test_usage(invoke, files, options, words):
    answer = invoke("convert", files.int8, "--recipe", *options, "-o", "x.onnx")
    assert answer.code == 2
    assert words in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_a_network_without_quantizers(invoke, files):
    answer = invoke("convert", files.float, "--recipe", "exact", "-o", "x.onnx")
    assert answer.code not in {0, None}
    (line,) = [text for text in answer.err.splitlines() if text]
    assert str(files.float) in line
    assert "no quantizer" in line
    assert "--quantize 8" in line


@pytest.mark.parametrize("arithmetic", ["rational", "ort"])
def test_a_saved_plan(invoke, files, folder, arithmetic):
    made = ("convert", files.int8, "--recipe", "exact-radix", "--arithmetic", arithmetic)
    assert invoke(*made, "-o", "one.onnx", "--save-plan", "plan.json").code == 0
    assert json.loads((folder / "plan.json").read_text())["config"]["arithmetic"] == arithmetic
    again = invoke("convert", files.int8, "--plan", "plan.json", "-o", "two.onnx")
    assert again.code == 0
    assert ("'pool'" in again.err) is (arithmetic == "ort")  # no kernel of onnxruntime for it
    assert (folder / "one.onnx").read_bytes() == (folder / "two.onnx").read_bytes()
    other = invoke("convert", files.int8, "--plan", "plan.json", "-T", "9")
    assert (other.code, "a plan brings its own" in other.err) == (2, True)


def test_the_arithmetic_matters_and_is_told(invoke, files):
    """Tables of both differ somewhere, or the option would do nothing."""
    tables = {}
    for arithmetic in ("rational", "ort"):
        answer = invoke(
            "convert", files.int8, "--recipe", "exact-radix", "--arithmetic", arithmetic,
            "-o", f"{arithmetic}.onnx", "--json",
        )  # fmt: skip
        (said,) = {p["provenance"]["table"] for p in json.loads(answer.out)["populations"]}
        assert said == f"{arithmetic} arithmetic"
        model = onnx.load(f"{arithmetic}.onnx")
        tables[arithmetic] = {
            t.name: onnx.numpy_helper.to_array(t).tolist() for t in model.graph.initializer
            if t.name.endswith(".tau")
        }  # fmt: skip
    common = set(tables["rational"]) & set(tables["ort"])
    assert len(common) > 8
    assert any(tables["rational"][name] != tables["ort"][name] for name in common)


def test_strict(invoke, files):
    made = ("convert", files.int8, "--recipe", "exact-radix", "-o", "x.onnx", "--strict")
    assert invoke(*made).code == 0
    refused = invoke(*made, "--arithmetic", "ort")
    assert refused.code not in {0, None}
    assert "'pool' (AveragePool)" in refused.err
