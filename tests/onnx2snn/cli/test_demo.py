"""``onnx2snn demo``: the first thing that a new user runs."""

import json

import pytest

from onnx2snn_runtime import SpikingSession


def test_demo(invoke, folder):
    answer = invoke("demo")
    assert answer.code == 0
    assert [p.name for p in folder.iterdir()] == ["digits_cnn_int8.snn.onnx"]
    assert SpikingSession("digits_cnn_int8.snn.onnx").timesteps == 32
    for text in ("populations", "accuracy %", "firing rates", "source network", "simulated 32"):
        assert text in answer.out
    assert all(line.startswith("info: ") for line in answer.err.splitlines())


def test_json(invoke, folder):
    answer = invoke("demo", "-o", "other.onnx", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert [p.name for p in folder.iterdir()] == ["other.onnx"]
    content = json.loads(answer.out)
    assert content["schema"] == "onnx2snn.demo/1"
    assert content["output"] == "other.onnx"
    assert content["samples"] == 360
    rows = {row["timesteps"]: row for row in content["rows"]}
    assert list(rows) == [1, 2, 4, 8, 16, 32]
    assert content["ann_accuracy"] == pytest.approx(355 / 360)
    assert rows[32]["accuracy"] > 0.97
    assert rows[32]["agreement"] > 0.98
    assert set(content["rates"]) == set(SpikingSession("other.onnx").populations)
    assert all(0 < rate < 1 for rate in content["rates"].values())
