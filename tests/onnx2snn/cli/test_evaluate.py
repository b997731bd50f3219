"""``onnx2snn evaluate``: the printed numbers are those of a direct computation."""

import json

import numpy as np
import onnxruntime
import pytest

from onnx2snn.cli.evaluate import default_steps
from onnx2snn_runtime import SpikingSession

STEPS = (1, 3, 8)


@pytest.fixture(scope="module")
def direct(files):
    """Accuracies, agreements and rates, each T in a run of its own."""
    with np.load(files.heldout) as archive:
        images, labels = archive["images"].astype(np.float32) / 16, archive["labels"]
    session = SpikingSession(files.spiking)
    source = onnxruntime.InferenceSession(files.int8, providers=["CPUExecutionProvider"])
    ann = np.concatenate(
        [source.run(None, {"input": images[i : i + 32]})[0] for i in range(0, len(images), 32)]
    ).argmax(axis=1)
    rows = []
    for steps in STEPS:
        snn = session.run(images, steps)["logits"].argmax(axis=1)
        rows.append((steps, (snn == labels).mean(), (snn == ann).mean()))
    spikes = session.trace(images, max(STEPS)).spikes
    return {
        "rows": rows,
        "ann": (ann == labels).mean(),
        "rates": {name: train.mean(dtype=np.float64) for name, train in spikes.items()},
    }


@pytest.fixture
def call(files):
    return (
        *("evaluate", files.spiking, "--data", files.heldout, "--scale", "1/16"),
        *("--ann", files.int8, "-T", ",".join(map(str, STEPS))),
    )


def test_numbers(call, direct, invoke):
    answer = invoke(*call, "--json")
    assert (answer.code, answer.err) == (0, "")
    content = json.loads(answer.out)
    assert content["schema"] == "onnx2snn.evaluate/1"
    assert content["samples"] == 360
    assert content["ann_accuracy"] == pytest.approx(direct["ann"])
    rows = [(r["timesteps"], r["accuracy"], r["agreement"]) for r in content["rows"]]
    np.testing.assert_allclose(rows, direct["rows"])
    assert content["simulated_steps"] == max(STEPS)
    assert content["rates"].keys() == direct["rates"].keys()
    for name, rate in direct["rates"].items():
        # Average pools may send several spikes in a step; a trace counts them as they are.
        assert content["rates"][name] == pytest.approx(rate, abs=1e-6)


def test_the_numbers_tell_something(direct):
    """Neither all equal nor all right: the comparison above means something."""
    accuracies = [row[1] for row in direct["rows"]]
    assert len(set(accuracies)) == len(STEPS)
    assert accuracies[-1] > 0.5 > accuracies[0]
    assert all(0.01 < rate < 0.9 for rate in direct["rates"].values())


def test_tables(call, direct, invoke):
    answer = invoke(*call)
    assert (answer.code, answer.err) == (0, "")
    cells = [line.strip("│ ").split("│") for line in answer.out.splitlines() if "│" in line]
    table = {c[0].strip(): [v.strip() for v in c[1:]] for c in cells}
    for steps, accuracy, agreement in direct["rows"]:
        assert table[str(steps)] == [f"{100 * accuracy:.2f}", f"{100 * agreement:.2f}"]
    for name, rate in direct["rates"].items():
        assert table[name] == [f"{rate:.4f}"]
    assert f"{100 * direct['ann']:.2f} % of 360 samples" in answer.out
    assert "firing rates at T = 8" in answer.out


def test_order_of_times_does_not_matter(files, invoke):
    def rows(text):
        call = ("evaluate", files.spiking, "--data", files.heldout, "--scale", "1/16")
        content = json.loads(invoke(*call, "--samples", "40", "-T", text, "--json").out)
        return content["rows"]

    assert rows("1,2,4") == rows("4,1,2") == rows("4 2 1") == rows("4,4,2,1")


def test_samples(files, invoke):
    call = ("evaluate", files.spiking, "--data", files.heldout, "--scale", "1/16", "-T", "8")

    def accuracy(*options):
        content = json.loads(invoke(*call, "--json", *options).out)
        return content["samples"], content["rows"][0]["accuracy"]

    count, share = accuracy("--samples", "7", "--seed", "4")
    assert count == 7
    assert (share * 7) == pytest.approx(round(share * 7))
    assert accuracy("--samples", "7", "--seed", "4") == (count, share)
    assert accuracy("--samples", "1000")[0] == 360


def test_labels_are_not_needed(files, invoke):
    """Agreement and rates can be told without; without a source, rates only, and it says so."""
    call = ("evaluate", files.spiking, "--data", files.few, "-T", "2")
    answer = invoke(*call, "--ann", files.int8, "--json")
    row = json.loads(answer.out)["rows"][0]
    assert row["accuracy"] is None
    assert row["agreement"] is not None
    answer = invoke(*call)
    assert answer.code == 0
    assert "–" in answer.out
    assert "labels" in answer.err
    assert json.loads(invoke(*call, "--json").out)["rows"][0]["agreement"] is None


def test_layouts(files, invoke, folder):
    with np.load(files.heldout) as archive:
        images, labels = archive["images"][:60], archive["labels"][:60]
    np.savez(folder / "first.npz", images=images, labels=labels)
    np.savez(folder / "last.npz", images=images.transpose(0, 2, 3, 1), labels=labels)
    call = ("evaluate", files.spiking, "--scale", "1/16", "-T", "4", "--json", "--data")

    def rows(*options):
        return json.loads(invoke(*call, *options).out)["rows"]

    want = rows("first.npz", "--layout", "NCHW")
    assert want == rows("first.npz") == rows("last.npz") == rows("last.npz", "--layout", "NHWC")
    assert invoke(*call, "last.npz", "--layout", "NCHW").code == 1


def test_default_times(files, invoke):
    assert default_steps(SpikingSession(files.spiking)) == (1, 2, 4, 8)
    assert invoke("convert", files.int8, "-T", "6", "-o", "six.onnx").code == 0
    assert default_steps(SpikingSession("six.onnx")) == (1, 2, 4, 6)
    assert invoke("convert", files.int8, "-T", "1", "-o", "one.onnx").code == 0
    assert default_steps(SpikingSession("one.onnx")) == (1,)


def test_a_part_that_waits_for_the_window(files, invoke):
    """An analog part between two populations: every T is a run of its own."""
    data = ("--calibration-data", files.calibration, "--threshold", "max")
    keep = ("--keep-analog", "block.relu")
    assert invoke("convert", files.float, *data, *keep, "-o", "waiting.onnx").code == 0
    session = SpikingSession("waiting.onnx")
    assert not session.is_anytime
    call = ("evaluate", "waiting.onnx", "--data", files.heldout, "--scale", "1/16", "-T", "2,5")
    content = json.loads(invoke(*call, "--json").out)
    assert content["simulated_steps"] == 7
    with np.load(files.heldout) as archive:
        images, labels = archive["images"].astype(np.float32) / 16, archive["labels"]
    spikes = session.trace(images, 5).spikes
    assert list(content["rates"]) == list(spikes)
    for name, train in spikes.items():
        assert content["rates"][name] == pytest.approx(train.mean(), abs=1e-6)
    assert [r["timesteps"] for r in content["rows"]] == [2, 5]
    for row in content["rows"]:
        snn = session.run(images, row["timesteps"])["logits"].argmax(axis=1)
        assert row["accuracy"] == pytest.approx((snn == labels).mean())


def test_a_fixed_file_tells_smaller_times(files, invoke):
    call = ("evaluate", files.fixed, "--data", files.heldout, "--scale", "1/16", "--json")
    content = json.loads(invoke(*call).out)
    assert [r["timesteps"] for r in content["rows"]] == [1, 2, 4, 8]
    assert content["rows"][-1]["accuracy"] > 0.9
