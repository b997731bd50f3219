"""``onnx2snn bench``: what is measured, on which inputs; the times themselves are nobody's."""

import json

import numpy as np
import onnx
import pytest

from onnx2snn.cli import bench as verb
from onnx2snn.evaluation.timing import Bench, Cost, Spread
from onnx2snn_runtime.native.library import usable_library

KERNELS = usable_library() is not None
QUICK = ("--samples", "4", "--repetitions", "1")


def test_measures_every_backend_and_the_source(files, invoke):
    answer = invoke("bench", files.spiking, "--ann", files.int8, *QUICK, "-T", "3", "--json")
    assert answer.code == 0
    content = json.loads(answer.out)
    assert content["schema"] == "onnx2snn.bench/1"
    assert list(content["backends"]) == (["native", "stock"] if KERNELS else ["stock"])
    assert (content["timesteps"], content["samples"], content["threads"]) == (3, 4, 1)
    source = content["source"]["seconds"]["median"]
    for cost in content["backends"].values():
        seconds = cost["seconds"]
        assert 0 < seconds["smallest"] <= seconds["median"] <= seconds["largest"]
        assert cost["source_inferences"] == pytest.approx(seconds["median"] / source)
        assert cost["source_inferences_per_step"] == pytest.approx(cost["source_inferences"] / 3)
        assert cost["peak_memory"] is None or cost["peak_memory"] > 0


@pytest.fixture
def told(monkeypatch, invoke):
    """What the verb passes on; nothing is measured, the answer is made up."""
    calls = []

    def bench(tasks, *, ann=None, repetitions, progress):
        calls.append({"tasks": tasks, "ann": ann, "repetitions": repetitions})
        source = None if ann is None else Cost(Spread(2e-3, 1e-3, 3e-3), None, 32)
        cost = Cost(Spread(0.012, 0.011, 0.013), 3 * 2**20, None)
        first = next(iter(tasks.values()))
        return Bench(first.timesteps, len(first.feeds["input"]), dict.fromkeys(tasks, cost), source)

    monkeypatch.setattr(verb, "bench", bench)

    def tell(*arguments):
        answer = invoke("bench", *arguments)
        assert answer.code == 0, answer.err
        return calls[-1], answer

    return tell


def test_table(files, told):
    _, answer = told(files.spiking, "--ann", files.int8, "--backend", "stock")
    cells = [line.strip("│ ").split("│") for line in answer.out.splitlines() if "│" in line]
    table = {c[0].strip(): [v.strip() for v in c[1:]] for c in cells}
    assert table["stock"] == ["12.000", "11.000–13.000", "3.0", "6.00", "0.750"]
    assert table["source, batch 32"] == ["2.000", "1.000–3.000", "?", "1.00", "0.125"]
    assert "T = 8, 1 thread(s), 16 samples" in answer.out


def test_defaults(files, told):
    call, _ = told(files.spiking, "--backend", "stock")
    task = call["tasks"]["stock"]
    assert (task.timesteps, task.memory, task.batch) == (8, 2**30, None)
    assert (task.options.threads, task.options.providers) == (1, ("CPUExecutionProvider",))
    assert (call["ann"], call["repetitions"]) == (None, 5)
    values = task.feeds["input"]
    assert values.shape == (16, 1, 8, 8)
    assert 0 <= values.min() < 0.1 < 0.9 < values.max() <= 1


def test_options_reach_the_task(files, told):
    options = ("--threads", "0", "--memory", "64MiB", "--batch", "2", "-T", "5")
    call, answer = told(files.spiking, *options, "--backend", "reference", "--repetitions", "7")
    task = call["tasks"]["reference"]
    assert (task.options.threads, task.memory, task.batch, task.timesteps) == (0, 2**26, 2, 5)
    assert call["repetitions"] == 7
    assert "onnxruntime's choice of threads" in answer.out


def test_samples_of_the_user(files, told):
    call, _ = told(files.spiking, "--data", files.heldout, "--scale", "1/16", "--samples", "9")
    values = next(iter(call["tasks"].values())).feeds["input"]
    with np.load(files.heldout) as archive:
        images = archive["images"].astype(np.float32) / 16
    assert len(values) == 9
    assert all(any(np.array_equal(v, image) for image in images) for v in values)


@pytest.mark.parametrize(
    ("config", "low", "high"),
    [
        ('{"input_range": [-4, 12]}', -4, 12),
        ('{"input_range": null}', 0, 1),
        ("{}", 0, 1),
        ("no json", 0, 1),
        ("[]", 0, 1),
    ],
)
def test_the_recorded_range(files, told, config, low, high):
    model = onnx.load(files.spiking)
    (entry,) = [p for p in model.metadata_props if p.key == verb.CONFIG]
    entry.value = config
    onnx.save(model, "edited.onnx")
    call, _ = told("edited.onnx", "--seed", "3")
    values = next(iter(call["tasks"].values())).feeds["input"]
    span = high - low
    assert low <= values.min() < low + 0.1 * span
    assert high - 0.1 * span < values.max() <= high


def test_a_fixed_batch_is_filled(files, told):
    model = onnx.load(files.spiking)
    for value in (*model.graph.input, *model.graph.output):
        if value.name != "timesteps":
            value.type.tensor_type.shape.dim[0].dim_value = 6
    del model.graph.value_info[:]
    onnx.save(model, "six.onnx")
    call, _ = told("six.onnx", "--samples", "7")
    assert len(next(iter(call["tasks"].values())).feeds["input"]) == 12


def test_kernels_that_are_not_there(files, told, refused, monkeypatch):
    monkeypatch.setattr(verb, "has_kernels", lambda options: False)
    call, answer = told(files.spiking)
    assert list(call["tasks"]) == ["stock"]
    assert "no compiled kernels" in answer.err
    refused("bench", files.spiking, "--backend", "native", says=("no compiled kernels",))


def test_preprocessing_is_of_data(files, refused):
    call = ("bench", files.spiking, "--scale", "1/16")
    refused(*call, says=("--scale", "--data"), code=2, remedy=False)


def test_a_file_of_another_time(files, refused):
    refused("bench", files.fixed, "-T", "5", says=(files.fixed, "T = 8"))


def test_no_spiking_file(files, refused):
    refused("bench", files.int8, says=(files.int8, "not a spiking ONNX file"))
