"""The peak of a run, seen from a process of its own; errors come back whole."""

import os
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from onnx2snn.errors import BackendError, ModelFileError
from onnx2snn.evaluation.peak_memory import measure_here, peak, peak_memory
from onnx2snn_runtime.modelfile import read_model

MIB = 2**20

pytestmark = pytest.mark.skipif(peak() is None, reason="this system tells no peak")


def holding(loaded, running):
    """A task that holds so many MiB when it is loaded, and so many more while it runs."""
    return SimpleNamespace(load=partial(Holding, loaded, running))


class Holding:
    def __init__(self, loaded, running):
        self.loaded = np.ones(loaded * MIB // 8)
        self.running = running

    def __call__(self):
        return float(np.ones(self.running * MIB // 8).sum())


def test_only_what_the_run_takes():
    found = measure_here(holding(150, 100))
    assert 95 * MIB < found < 140 * MIB
    # The peak of one task is not that of the next.
    assert measure_here(holding(10, 20)) < 60 * MIB


def test_in_a_process_of_its_own():
    ones = partial(np.ones, 100 * MIB // 8)
    assert peak_memory(SimpleNamespace(load=partial(partial, ones))) > 95 * MIB
    assert peak_memory(SimpleNamespace(load=partial(partial, abs, 1))) < 20 * MIB


def test_a_process_that_is_ended():
    with pytest.raises(BackendError, match="was ended") as caught:
        peak_memory(SimpleNamespace(load=partial(os._exit, 9)))
    assert "--memory" in caught.value.remedy


def test_errors_keep_file_and_remedy(tmp_path):
    missing = tmp_path / "none.onnx"
    with pytest.raises(ModelFileError) as caught:
        peak_memory(SimpleNamespace(load=partial(read_model, str(missing))))
    assert caught.value.file == str(missing)
    assert caught.value.remedy == "check the path"


def test_a_system_that_tells_another_way(monkeypatch, tmp_path):
    """Without /proc the largest size is what getrusage says, about the same."""
    known = peak()
    monkeypatch.setattr("onnx2snn.evaluation.peak_memory.STATUS", tmp_path / "none")
    monkeypatch.setattr("onnx2snn.evaluation.peak_memory.RESET", tmp_path / "none" / "either")
    assert peak() >= known * 0.5
    assert measure_here(holding(1, 1)) >= 0
