"""Networks written for the other interpreter, and the calls; a stand-in answers."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

STAND_IN = """
import json, sys
print(json.dumps({"threads": sys.argv[1]}), flush=True)
for line in sys.stdin:
    call = json.loads(line)
    if call["call"] == "stop":
        sys.exit(4)
    print(json.dumps(call), flush=True)
"""


def test_network(script, tmp_path):
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    nodes = [
        helper.make_node("Gemm", ["x", "a/weight"], ["h"], "layer/one", transB=1, alpha=0.5),
        helper.make_node("Pad", ["h", "pads"], ["y"], "pad", mode="constant"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "a/weight")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(weights, "a/weight"),
            numpy_helper.from_array(np.array([0, 1, 0, 1]), "pads"),
        ],
    )
    script("spikingjelly_bridge").write_network(helper.make_model(graph), tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as archive:
        description = json.loads(str(archive["description"]))
        tensors = [archive[f"tensor{i}"] for i in range(2)]
    assert description["tensors"] == ["a/weight", "pads"]
    np.testing.assert_array_equal(tensors[0], weights)
    assert tensors[1].tolist() == [0, 1, 0, 1]
    assert (description["inputs"], description["outputs"]) == (["x"], ["y"])
    assert description["nodes"][0] == {
        "op": "Gemm",
        "name": "layer/one",
        "inputs": ["x", "a/weight"],
        "outputs": ["h"],
        "attributes": {"transB": 1, "alpha": 0.5},
    }
    assert description["nodes"][1]["attributes"] == {"mode": "constant"}


@pytest.fixture
def bridge(script, monkeypatch, tmp_path):
    module = script("spikingjelly_bridge")
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    monkeypatch.setattr(module, "PEER", stand_in)
    return module


def test_calls(bridge):
    with bridge.Peer(sys.executable, threads=3) as peer:
        assert peer.versions == {"threads": "3"}
        assert peer.call("one", name="a", steps=[1, 2]) == {
            "call": "one",
            "name": "a",
            "steps": [1, 2],
        }
        assert peer.call("two") == {"call": "two"}


def test_a_process_that_ends(bridge):
    ended = pytest.raises(RuntimeError, match="ended with 4")
    with bridge.Peer(sys.executable, threads=1) as peer, ended:
        peer.call("stop")
