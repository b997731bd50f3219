"""A model unrolled for windows of several lengths."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends import stock
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.unrolled import executables
from onnx2snn_runtime.unrolled.executables import ENOUGH_STEPS, KEPT, UnrolledExecutables
from onnx2snn_runtime.unrolled.rewrite import MOST_STEPS


@pytest.fixture
def loaded(monkeypatch):
    """What was loaded: for each model, whether it has neurons of its own ops."""
    told = []
    monkeypatch.setattr(executables, "PROCESSORS", {executables.platform.machine()})

    def load(model):
        told.append(any(n.op_type == "IntegrateFire" for n in model.graph.node))
        return StockExecutable(model, BackendOptions())

    load.told = told
    return load


def run(executable, pictures, steps):
    feeds = {"x": pictures, "timesteps": np.array(steps, np.int64)}
    return executable.run(["answer"], feeds)[0]


def test_each_length_is_loaded_once(residual, pictures, loaded):
    found = UnrolledExecutables.of(residual(), loaded)
    assert loaded.told == [False]
    reference = BACKENDS.get("reference")(residual(), BackendOptions())
    for steps in (3, 2, 3, 2):
        np.testing.assert_array_equal(run(found, pictures, steps), run(reference, pictures, steps))
    (answer,) = found.run(["answer"], {"x": pictures})
    np.testing.assert_array_equal(answer, run(reference, pictures, 3))
    assert loaded.told == [False, False]
    assert found.most_steps == ENOUGH_STEPS


def test_few_stay_loaded(residual, pictures, loaded):
    found = UnrolledExecutables.of(residual(), loaded)
    for steps in range(1, KEPT + 2):  # 3 was loaded first; 1 goes
        run(found, pictures, steps)
    before = len(loaded.told)
    run(found, pictures, KEPT + 1)
    assert len(loaded.told) == before
    run(found, pictures, 1)
    assert len(loaded.told) == before + 1


def test_long_windows_keep_the_bodies(residual, pictures, loaded):
    found = UnrolledExecutables.of(residual(), loaded)
    reference = BACKENDS.get("reference")(residual(), BackendOptions())
    steps = MOST_STEPS + 1
    np.testing.assert_array_equal(run(found, pictures, steps), run(reference, pictures, steps))
    assert loaded.told == [False, True]


def test_a_long_file_is_loaded_for_a_part(residual, loaded):
    assert UnrolledExecutables.of(residual(timesteps=np.array(500, np.int64)), loaded)
    assert loaded.told == [False]


def test_what_is_not_unrolled(residual, loaded, monkeypatch):
    assert UnrolledExecutables.of(residual(shapes={}), loaded) is None
    monkeypatch.setattr(executables.platform, "machine", lambda: "abacus")
    assert UnrolledExecutables.of(residual(), loaded) is None
    assert loaded.told == []


def test_the_stock_backend_unrolls(residual, pictures, loaded):
    executable = BACKENDS.get("stock")(residual(), BackendOptions())
    assert isinstance(executable, UnrolledExecutables)
    reference = BACKENDS.get("reference")(residual(), BackendOptions())
    np.testing.assert_array_equal(run(executable, pictures, 5), run(reference, pictures, 5))


def test_other_providers_run_the_bodies(residual, loaded, monkeypatch):
    monkeypatch.setattr(stock, "StockExecutable", lambda model, options: model)
    model, providers = residual(), ("CUDAExecutionProvider", stock.CPU)
    assert stock.load(model, BackendOptions(providers)) is model


def test_many_threads_at_once(residual, pictures, loaded):
    found = UnrolledExecutables.of(residual(), loaded)
    lengths = [1, 2, 3, 4, 5] * 4
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda steps: run(found, pictures, steps), lengths))
    for answer, again in zip(answers[:5], answers[5:10], strict=True):
        np.testing.assert_array_equal(answer, again)
