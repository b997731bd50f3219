"""Statistics against the full activations, which here fit into memory."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from onnx2snn import convert
from onnx2snn.calibration import collect_statistics, open_dataset
from onnx2snn.calibration import statistics as module
from onnx2snn.errors import CalibrationError, DataError
from onnx2snn.plan import ActivationSite
from onnx2snn_runtime import TensorInfo

BINS = module.BINS


# ---------------------------------------------------------------------------------------------
# A network whose pre-activations are its inputs


def identity(shape=("N", 4, 5, 5)):
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", "z", "y")]
    nodes = [helper.make_node("Identity", ["x"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[2:], value_info=infos[1:2])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def site(channels=4, rank=4, **options):
    return ActivationSite("relu", "relu", "z", "y", ("relu",), channels, rank, **options)


def collect(values, percentile=99.9, sites=None, **options):
    shape = ("N", *values.shape[1:])
    info = TensorInfo("x", np.dtype(np.float32), shape)
    data = open_dataset(values, (info,))
    sites = sites or [site(values.shape[1], values.ndim)]
    return collect_statistics(identity(shape), sites, data, percentile=percentile, **options)


def per_channel(values, lower=0.0, upper=np.inf):
    clipped = np.clip(values, lower, upper) - lower
    return np.moveaxis(clipped, 1, 0).reshape(values.shape[1], -1)


@pytest.fixture
def values():
    """Differing channels, one of them dead, one silent most of the time."""
    x = np.random.default_rng(0).normal(0, 1, (70, 4, 5, 5)).astype(np.float32)
    x *= np.array([1, 5, 1, 1], np.float32)[:, None, None]
    x[:, 2] = -np.abs(x[:, 2])
    x[:, 3] = np.where(np.random.default_rng(1).random(x[:, 3].shape) < 0.002, 3.0, -1.0)
    return x


def assert_percentiles(found, values, percentile, lower=0.0, upper=np.inf):
    """Within a bin of what NumPy says; a channel that is silent there counts whole."""
    flat = per_channel(values, lower, upper)
    for c, channel in enumerate(flat):
        want = np.percentile(channel, percentile, method="inverted_cdf")
        width = channel.max() / BINS
        if want < width:
            assert found.percentile[c] == pytest.approx(channel.max(), rel=1e-6)
        else:
            assert want * (1 - 1e-6) <= found.percentile[c] <= want + 1.001 * width
    want = np.percentile(flat, percentile, method="inverted_cdf")
    if want > flat.max() / BINS:
        assert abs(found.layer_percentile - want) <= 1.001 * flat.max() / BINS


@pytest.mark.parametrize("percentile", [90, 99, 99.9, 100])
def test_against_numpy(values, percentile):
    found = collect(values, percentile)["relu"]
    np.testing.assert_array_equal(found.maximum, per_channel(values).max(axis=1))
    assert_percentiles(found, values, percentile)
    assert (found.samples, found.data, found.synthetic) == (70, "data", False)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 80), st.integers(1, 5), st.integers(1, 4)),
    percentile=st.floats(50, 100).map(lambda p: round(p, 6)),
    offset=st.floats(-2, 2),
)
def test_any_data(seed, shape, percentile, offset):
    x = np.random.default_rng(seed).normal(offset, 1, shape).astype(np.float32)
    found = collect(x, percentile)["relu"]
    flat = per_channel(x)
    np.testing.assert_array_equal(found.maximum, flat.max(axis=1))
    assert_percentiles(found, x, percentile)
    assert (found.percentile <= found.maximum * (1 + 1e-6)).all()


def test_hundred_percent_is_the_maximum(values):
    found = collect(values, 100)["relu"]
    np.testing.assert_allclose(found.percentile, found.maximum, rtol=1e-6)
    assert found.layer_percentile == pytest.approx(found.maximum.max(), rel=1e-6)


def test_histogram(values):
    """Every value is in one bin, the right one."""
    found = collect(values)["relu"]
    assert found.histogram.shape == (4, BINS)
    assert found.histogram.dtype == np.int64
    flat = per_channel(values)
    np.testing.assert_array_equal(found.histogram.sum(axis=1), flat.shape[1])
    for c in (0, 1, 3):
        want, _ = np.histogram(flat[c].astype(np.float64), BINS, (0, float(flat[c].max())))
        assert np.abs(found.histogram[c].cumsum() - want.cumsum()).max() <= 1
    assert found.histogram[2, 0] == flat.shape[1]  # dead


def test_dead_channels(values):
    found = collect(values)["relu"]
    assert found.maximum[2] == 0
    assert found.percentile[2] == 0
    assert found.maximum[3] == found.percentile[3] == 3.0  # silent but for 0.2 %


def test_all_dead():
    found = collect(-np.ones((5, 2, 3), np.float32))["relu"]
    assert not found.maximum.any()
    assert not found.percentile.any()
    assert found.layer_percentile == 0


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.5), (-1.0, 1.0), (0.5, 6.0)])
def test_clipped_sites(values, lower, upper):
    """Activations above the lower bound, which may be below zero."""
    clip = site(lower=lower, upper=upper)
    found = collect(values, 95, [clip])["relu"]
    want = per_channel(values, lower, upper)
    np.testing.assert_allclose(found.maximum, want.max(axis=1), rtol=1e-6)
    assert_percentiles(found, values, 95, lower, upper)


@pytest.mark.parametrize("size", [1, 7, 32, 1000])
def test_batches_do_not_matter(values, size, monkeypatch):
    want = collect(values, 99)["relu"]
    monkeypatch.setattr(module, "BATCH_SIZE", size)
    found = collect(values, 99)["relu"]
    for name in ("maximum", "percentile", "histogram"):
        np.testing.assert_array_equal(getattr(found, name), getattr(want, name))
    assert found.layer_percentile == want.layer_percentile


def test_one_sample():
    x = np.random.default_rng(0).normal(1, 1, (1, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(collect(x)["relu"].maximum, per_channel(x).max(axis=1))


@pytest.mark.parametrize("tail", [(3,), (3, 4), (3, 2, 2), (3, 2, 2, 2)])
def test_any_rank(tail):
    x = np.random.default_rng(0).normal(0, 1, (9, *tail)).astype(np.float32)
    found = collect(x, 100)["relu"]
    np.testing.assert_array_equal(found.maximum, per_channel(x).max(axis=1))


def test_progress(values):
    calls = []
    collect(values, progress=lambda *a: calls.append(a))
    assert [c[1] for c in calls] == [1, 2, 3, 4, 5, 6]  # two passes over three batches
    assert {c[2] for c in calls} == {6}


def test_two_sites_of_one_tensor(values):
    """A tensor that is read by two activations is tapped once."""
    twin = ActivationSite("clip", "clip", "z", "y", ("clip",), 4, 4, upper=1.0)
    found = collect(values, 100, [site(), twin])
    assert list(found) == ["relu", "clip"]
    assert found["clip"].maximum.max() == 1.0
    assert found["relu"].maximum.max() > 1.0


def test_pools_have_none(values):
    pool = ActivationSite("pool", "average_pool", "y", "p", ("pool",), 4, 4)
    assert list(collect(values, 99, [site(), pool])) == ["relu"]


def network_with_overflow():
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", 2)) for n in ("x", "z", "y")]
    nodes = [helper.make_node("Exp", ["x"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[2:], value_info=infos[1:2])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_infinite_activations():
    info = TensorInfo("x", np.dtype(np.float32), ("N", 2))
    data = open_dataset(np.full((3, 2), 1000.0, np.float32), (info,))
    with pytest.raises(CalibrationError) as error:
        collect_statistics(network_with_overflow(), [site(2, 2)], data, percentile=99)
    assert "'relu'" in str(error.value)
    assert error.value.remedy


def test_data_that_do_not_fit(values):
    info = TensorInfo("x", np.dtype(np.float32), ("N", 4, 6, 6))
    with pytest.raises(DataError):
        collect_statistics(identity(), [site()], open_dataset(values, (info,)), percentile=99)


# ---------------------------------------------------------------------------------------------
# A trained network


def test_digits_network(pytestconfig):
    """The numbers in a plan are those of the network itself, run in full by onnxruntime."""
    models = pytestconfig.rootpath / "models"
    data = models / "digits_calibration.npz"
    percentile = 99.0
    plan = convert(
        models / "digits_cnn_float.onnx",
        threshold="percentile",
        percentile=percentile,
        calibration_data=data,
    ).plan
    model = onnx.load(models / "digits_cnn_float.onnx")
    names = [n.input[0] for n in model.graph.node if n.op_type == "Relu"]
    for name in names:
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    with np.load(data) as archive:
        tensors = session.run(names, {"input": archive["input"]})
    neurons = [n for n, s in zip(plan.neurons, plan.sites, strict=True) if s.kind == "relu"]
    assert len(neurons) == len(tensors) == 4
    for neuron, tensor in zip(neurons, tensors, strict=True):
        flat = per_channel(tensor)
        want = np.percentile(flat, percentile, axis=1, method="inverted_cdf")
        # A bin, and a little for the batch norm, which is folded in the converted network.
        room = flat.max(axis=1) / BINS + 1e-4 * flat.max()
        assert neuron.threshold.shape == (tensor.shape[1], 1, 1)
        assert (np.abs(neuron.threshold.reshape(-1) - want) <= room).all()


def test_constants_of_the_model_may_be_anything():
    """Weights named like a tap do no harm."""
    model = identity()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "unused"))
    info = TensorInfo("x", np.dtype(np.float32), ("N", 4, 5, 5))
    data = open_dataset(np.ones((2, 4, 5, 5), np.float32), (info,))
    assert collect_statistics(model, [site()], data, percentile=99)["relu"].maximum.max() == 1
