"""``onnx2snn run``: what it writes is what the session says."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime import SpikingSession


def outputs(path):
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture
def images(files):
    with np.load(files.calibration) as archive:
        return archive["input"]


def test_writes_every_output(files, images, invoke):
    answer = invoke("run", files.spiking, "-i", files.calibration, "-o", "y.npz")
    assert (answer.code, answer.err) == (0, "")
    found = outputs("y.npz")
    assert list(found) == ["logits"]
    want = SpikingSession(files.spiking).run(images)["logits"]
    assert found["logits"].dtype == np.float32
    np.testing.assert_array_equal(found["logits"], want)
    assert answer.out.splitlines()[-1] == "wrote y.npz"
    assert "200 samples, T = 8" in answer.out


def test_without_output_it_only_tells(files, invoke, folder):
    answer = invoke("run", files.spiking, "-i", files.few)
    assert answer.code == 0
    assert "logits" in answer.out
    assert "[4, 10]" in answer.out
    assert list(folder.iterdir()) == []


def test_other_time(files, images, invoke):
    session = SpikingSession(files.spiking)
    seen = []
    for steps in (1, 3, 12):
        call = ("run", files.spiking, "-i", files.calibration, "-o", "y.npz", "-T", steps)
        assert invoke(*call).code == 0
        seen.append(outputs("y.npz")["logits"])
        np.testing.assert_array_equal(seen[-1], session.run(images, steps)["logits"])
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])


def test_samples_and_seed(files, images, invoke):
    def some(seed, count=10):
        call = ("run", files.spiking, "-i", files.calibration, "-o", "y.npz")
        assert invoke(*call, "--samples", count, "--seed", seed).code == 0
        return outputs("y.npz")["logits"]

    everything = SpikingSession(files.spiking).run(images)["logits"]
    one, again, other = some(1), some(1), some(2)
    assert one.shape == (10, 10)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    # They are rows of the whole, in their order.
    places = [int(np.flatnonzero((everything == row).all(axis=1))[0]) for row in one]
    assert places == sorted(places)
    np.testing.assert_array_equal(some(1, count=1000), everything)


def test_preprocessing(files, invoke):
    with np.load(files.heldout) as archive:
        raw = archive["images"].astype(np.float32)
    session = SpikingSession(files.spiking)
    call = ("run", files.spiking, "-i", files.heldout, "-o", "y.npz", "-T", "2")
    assert invoke(*call, "--scale", "1/16").code == 0
    np.testing.assert_array_equal(outputs("y.npz")["logits"], session.run(raw / 16, 2)["logits"])
    options = ("--scale", "1/16", "--mean", "0.25", "--std", "0.5")
    assert invoke(*call, *options).code == 0
    want = session.run((raw / 16 - 0.25) / 0.5, 2)["logits"]
    np.testing.assert_array_equal(outputs("y.npz")["logits"], want)


def test_json(files, invoke):
    answer = invoke("run", files.spiking, "-i", files.few, "-T", "3", "-o", "y.npz", "--json")
    assert (answer.code, answer.err) == (0, "")
    content = json.loads(answer.out)
    assert content.pop("seconds") > 0
    assert content == {
        "schema": "onnx2snn.run/1",
        "samples": 4,
        "timesteps": 3,
        "until_settled": False,
        "outputs": {"logits": [4, 10]},
        "output": "y.npz",
    }
    bare = json.loads(invoke("run", files.spiking, "-i", files.few, "--json").out)
    assert (bare["output"], bare["timesteps"]) == (None, 8)


def test_backends_agree(files, invoke):
    answers = {}
    for backend in ("auto", "stock", "reference"):
        # The reference evaluator of onnx cannot run DequantizeLinear of the int8 file's opset.
        call = ("run", files.fixed, "-i", files.few, "-o", "y.npz")
        assert invoke(*call, "--backend", backend, "--threads", "1").code == 0
        answers[backend] = outputs("y.npz")["logits"]
    np.testing.assert_array_equal(answers["auto"], answers["stock"])
    np.testing.assert_allclose(answers["reference"], answers["stock"], atol=1e-4)


def test_memory_changes_nothing(files, images, invoke):
    """Next to none: one step of one image after the other."""
    call = ("run", files.spiking, "-i", files.few, "-o", "y.npz", "--memory", "1kB")
    assert invoke(*call).code == 0
    want = SpikingSession(files.spiking).run(images[:4])["logits"]
    np.testing.assert_allclose(outputs("y.npz")["logits"], want, atol=1e-5)


def test_until_settled(files, invoke):
    convert = ("convert", files.int8, "--recipe", "exact", "-o", "exact.onnx")
    assert invoke(*convert).code == 0
    session = SpikingSession("exact.onnx")
    call = ("run", "exact.onnx", "-i", files.few, "-o", "y.npz", "--until-settled")
    answer = invoke(*call)
    assert (answer.code, answer.err) == (0, "")
    assert f"T = {session.timesteps}, or fewer" in answer.out
    with np.load(files.few) as archive:
        few = archive["input"]
    settled = session.run(few, until_settled=True)["logits"]
    np.testing.assert_array_equal(outputs("y.npz")["logits"], settled)
    content = json.loads(invoke(*call, "--json").out)
    assert (content["timesteps"], content["until_settled"]) == (session.timesteps, True)


def test_what_never_settles(files, invoke):
    answer = invoke("run", files.spiking, "-i", files.few, "--until-settled")
    assert answer.code == 1
    assert answer.err.startswith(f"error: {files.spiking}: node ")
    assert "never settles" in answer.err


def test_several_inputs_and_outputs(invoke, folder):
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3])
        for name in ("left", "right", "sum", "own")
    }
    nodes = [
        helper.make_node("Relu", ["left"], ["a"], name="one"),
        helper.make_node("Relu", ["right"], ["own"], name="two"),
        helper.make_node("Add", ["a", "own"], ["sum"], name="add"),
    ]
    inputs, results = [values["left"], values["right"]], [values["sum"], values["own"]]
    graph = helper.make_graph(nodes, "net", inputs, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    left, right = np.random.default_rng(0).uniform(0, 1, (2, 6, 3)).astype(np.float32)
    np.savez(folder / "data.npz", right=right, left=left, unused=np.zeros(6))
    data = ("--calibration-data", "data.npz", "--threshold", "max")
    assert invoke("convert", "net.onnx", *data).code == 0
    assert invoke("run", "net.snn.onnx", "-i", "data.npz", "-o", "y.npz", "-T", "1000").code == 0
    found = outputs("y.npz")
    assert sorted(found) == ["own", "sum"]
    np.testing.assert_allclose(found["own"], right, atol=2e-3)
    np.testing.assert_allclose(found["sum"], left + right, atol=4e-3)
