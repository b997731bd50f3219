"""Measured numbers against plain NumPy on the outputs of single runs."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.errors import BackendError, ConfigError, DataError, ModelFileError, TimestepsError
from onnx2snn.evaluation import accuracy as module
from onnx2snn.evaluation import evaluate, evaluate_ann
from onnx2snn.evaluation.accuracy import predicted
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.inputs import tensor_info

COUNT = 90


@pytest.fixture(scope="module")
def models(pytestconfig):
    return pytestconfig.rootpath / "models"


@pytest.fixture(scope="module")
def source(models):
    return onnx.load(models / "digits_cnn_float.onnx")


@pytest.fixture(scope="module")
def session(source, models):
    data = models / "digits_calibration.npz"
    model = convert(source, 8, threshold="percentile", calibration_data=data).model
    return SpikingSession(model)


@pytest.fixture(scope="module")
def waiting(source, models):
    """With an analog part in the middle, which waits for the whole window."""
    data = models / "digits_calibration.npz"
    options = {"threshold": "percentile", "calibration_data": data, "keep_analog": ["block.relu"]}
    found = SpikingSession(convert(source, 8, **options).model)
    assert not found.is_anytime
    return found


@pytest.fixture(scope="module")
def samples(pytestconfig):
    path = pytestconfig.rootpath / "onnx2snn" / "demo_data" / "digits_heldout.npz"
    with np.load(path) as archive:
        images = archive["images"][:COUNT].astype(np.float32) / 16
        return {"input": images, "labels": archive["labels"][:COUNT]}


@pytest.fixture
def dataset(session, samples):
    return open_dataset(samples, session.inputs)


@pytest.fixture(scope="module")
def ann_classes(source, samples):
    session = onnxruntime.InferenceSession(
        source.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"input": samples["input"]})[0].argmax(axis=1)


def direct(session, samples, ann_classes, T):
    """Accuracy and agreement, from a run of its own."""
    snn = session.run(samples["input"], T)["logits"].argmax(axis=1)
    return (snn == samples["labels"]).mean(), (snn == ann_classes).mean()


def test_every_row(session, dataset, samples, source, ann_classes):
    found = evaluate(session, dataset, timesteps=[1, 2, 5, 9], ann=source)
    assert found.samples == COUNT
    assert found.simulated_steps == 9
    assert found.ann_accuracy == pytest.approx((ann_classes == samples["labels"]).mean())
    assert [r.timesteps for r in found.rows] == [1, 2, 5, 9]
    for row in found.rows:
        want = direct(session, samples, ann_classes, row.timesteps)
        assert (row.accuracy, row.agreement) == pytest.approx(want)
    assert len({r.accuracy for r in found.rows}) > 2  # or the test would say little
    assert found.snn_seconds > 0
    assert found.ann_seconds > 0


def test_rates(session, dataset, samples):
    found = evaluate(session, dataset, timesteps=[3, 6])
    spikes = session.trace(samples["input"], 6).spikes
    assert list(found.rates) == list(spikes)
    for name, train in spikes.items():
        assert found.rates[name] == pytest.approx(train.mean(dtype=np.float64), abs=1e-6)


def test_a_part_that_waits(waiting, dataset, samples, source, ann_classes):
    found = evaluate(waiting, dataset, timesteps=[2, 4], ann=source)
    assert found.simulated_steps == 6
    spikes = waiting.trace(samples["input"], 4).spikes
    assert list(found.rates) == list(spikes)
    for name, train in spikes.items():
        assert found.rates[name] == pytest.approx(train.mean(dtype=np.float64), abs=1e-6)
    for row in found.rows:
        want = direct(waiting, samples, ann_classes, row.timesteps)
        assert (row.accuracy, row.agreement) == pytest.approx(want)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_do_not_matter(session, dataset, source, size, monkeypatch):
    want = evaluate(session, dataset, timesteps=[2, 4], ann=source)
    monkeypatch.setattr(module, "READ_SIZE", size)
    monkeypatch.setattr(module, "ANN_BATCH", size)
    found = evaluate(session, dataset, timesteps=[2, 4], ann=source)
    assert found.rows == want.rows
    assert found.ann_accuracy == want.ann_accuracy
    assert found.rates == pytest.approx(want.rates, abs=1e-6)


def test_order_and_repetition_do_not_matter(session, dataset):
    want = evaluate(session, dataset, timesteps=[1, 4]).rows
    assert evaluate(session, dataset, timesteps=[4, 1, 4]).rows == want


def test_without_labels_or_source(session, samples, source):
    bare = open_dataset(samples["input"], session.inputs)
    found = evaluate(session, bare, timesteps=[2])
    assert (found.rows[0].accuracy, found.rows[0].agreement) == (None, None)
    assert (found.ann_accuracy, found.ann_seconds) == (None, None)
    found = evaluate(session, bare, timesteps=[2], ann=source)
    assert found.rows[0].accuracy is None
    assert found.rows[0].agreement > 0.3
    assert found.ann_accuracy is None


def test_subset(session, dataset, samples, source):
    part = dataset.subset(20, 3)
    found = evaluate(session, part, timesteps=[8], ann=source)
    assert found.samples == 20
    [batch] = part.batches(20)
    [labels] = part.label_batches(20)
    snn = session.run(batch, 8)["logits"].argmax(axis=1)
    assert found.rows[0].accuracy == pytest.approx((snn == labels).mean())


def test_evaluate_ann(source, dataset, samples, ann_classes, session):
    want = (ann_classes == samples["labels"]).mean()
    assert evaluate_ann(source, dataset) == pytest.approx(want)
    assert evaluate_ann(source, open_dataset(samples["input"], session.inputs)) is None


def test_progress(session, waiting, dataset, source):
    calls = []
    evaluate(session, dataset, timesteps=[2], ann=source, progress=lambda *a: calls.append(a))
    for what in ("source network", "simulate"):
        done = [c[1] for c in calls if c[0] == what]
        assert done == sorted(done)
        assert done[-1] == COUNT
    assert {c[2] for c in calls} == {COUNT}
    calls.clear()
    evaluate(waiting, dataset, timesteps=[2, 3], progress=lambda *a: calls.append(a))
    assert {c[0] for c in calls} == {"simulate T = 2", "simulate T = 3"}


class TestRefused:
    def test_no_times(self, session, dataset):
        with pytest.raises(ConfigError):
            evaluate(session, dataset, timesteps=[])

    def test_times(self, session, dataset, source):
        with pytest.raises(TimestepsError):
            evaluate(session, dataset, timesteps=[0])
        fixed = SpikingSession(convert(source, 4, threshold="gaussian").model)
        with pytest.raises(TimestepsError):
            evaluate(fixed, dataset, timesteps=[2, 8])
        assert len(evaluate(fixed, dataset, timesteps=[2, 4]).rows) == 2

    def test_labels(self, session, samples, monkeypatch):
        """Before anything is simulated."""
        monkeypatch.setattr(session, "observe", lambda *_, **__: pytest.fail("simulated first"))
        wrong = open_dataset({**samples, "labels": np.eye(COUNT, 10)}, session.inputs)
        with pytest.raises(DataError):
            evaluate(session, wrong, timesteps=[2])

    def test_data(self, session):
        wrong = open_dataset({"input": np.zeros((5, 1, 8, 7))}, session.inputs)
        with pytest.raises(DataError):
            evaluate(session, wrong, timesteps=[2])

    def test_other_source(self, session, dataset, source):
        other = onnx.ModelProto()
        other.CopyFrom(source)
        for node in other.graph.node:
            node.input[:] = ["picture" if i == "input" else i for i in node.input]
        other.graph.input[0].name = "picture"
        with pytest.raises(ModelFileError) as error:
            evaluate(session, dataset, timesteps=[2], ann=other, ann_name="other.onnx")
        assert "other.onnx: takes picture" in str(error.value)

    def test_source_of_another_shape(self, session, dataset, source):
        other = onnx.ModelProto()
        other.CopyFrom(source)
        other.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 9
        with pytest.raises(BackendError) as error:
            evaluate(session, dataset, timesteps=[2], ann=other, ann_name="other.onnx")
        assert str(error.value).startswith("other.onnx: ")


def test_source_with_a_fixed_batch(session, dataset, source):
    """It is fed what it wants: here, single images."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(source)
    for value in (fixed.graph.input[0], fixed.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    want = evaluate(session, dataset, timesteps=[2], ann=source)
    found = evaluate(session, dataset, timesteps=[2], ann=fixed)
    assert found.rows == want.rows
    assert found.ann_accuracy == want.ann_accuracy


class TestPredicted:
    def test_largest(self):
        got = predicted(np.array([[0, 3, 1], [5, 2, 2], [1, 1, 1]], np.float32))
        np.testing.assert_array_equal(got, [1, 0, 0])
        assert got.dtype == np.int64

    def test_axes_of_one(self):
        scores = np.random.default_rng(0).normal(0, 1, (4, 10, 1, 1))
        np.testing.assert_array_equal(predicted(scores), scores.reshape(4, 10).argmax(axis=1))

    @pytest.mark.parametrize("shape", [(4,), (4, 1)])
    @pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
    def test_classes(self, shape, dtype):
        classes = np.array([3, 1, 4, 1], dtype)
        np.testing.assert_array_equal(predicted(classes.reshape(shape)), classes)

    def test_no_classes(self):
        with pytest.raises(DataError) as error:
            predicted(np.zeros(4, np.float32))
        assert error.value.remedy


def test_labels_of_any_width(session, dataset, samples):
    """uint8 labels, as data sets often have them, are compared as numbers."""
    want = evaluate(session, dataset, timesteps=[4]).rows
    for dtype in (np.int64, np.float32, ">i4"):
        other = open_dataset({**samples, "labels": samples["labels"].astype(dtype)}, session.inputs)
        assert evaluate(session, other, timesteps=[4]).rows == want
    column = replace(
        dataset,
        labels=open_dataset(
            {**samples, "labels": samples["labels"][:, None]}, session.inputs
        ).labels,
    )
    assert evaluate(session, column, timesteps=[4]).rows == want


def test_a_network_without_classes():
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N"]) for n in "xy"]
    nodes = [helper.make_node("Abs", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "net", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    data = open_dataset({"x": np.ones(4), "labels": np.ones(4)}, (tensor_info(value[0]),))
    with pytest.raises(DataError):
        evaluate_ann(model, data)
