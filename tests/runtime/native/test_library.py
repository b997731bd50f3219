"""The library is used where it works; elsewhere one line in the log says why not."""

import logging
import shutil

import numpy as np
import onnxruntime
import pytest

import onnx2snn_runtime.native.library as finder
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.native import compile as compile_module
from onnx2snn_runtime.native.compile import expected_stamp, stamp_of


@pytest.fixture
def find(monkeypatch, caplog):
    """Looks for the library anew, at a path; gives what was found and the lines in the log."""
    monkeypatch.delenv(finder.SWITCH, raising=False)
    monkeypatch.delenv(finder.INSTRUCTIONS, raising=False)

    def find(path):
        monkeypatch.setattr(finder, "LIBRARY", path)
        finder.usable_library.cache_clear()
        caplog.clear()
        with caplog.at_level(logging.INFO, finder.LOG.name):
            found = [finder.usable_library() for _ in range(3)]
        assert len(set(found)) == 1
        return found[0], [r.getMessage() for r in caplog.records if r.name == finder.LOG.name]

    yield find
    finder.usable_library.cache_clear()


def test_a_good_library(find, library):
    found, (line,) = find(library)
    assert found == library
    assert "instruction set" in line


def test_no_library(find, tmp_path):
    found, (line,) = find(tmp_path / "nothing.so")
    assert found is None
    assert "no compiled kernels in this installation" in line


def test_switched_off(find, library, monkeypatch):
    monkeypatch.setenv(finder.SWITCH, "0")
    found, (line,) = find(library)
    assert found is None
    assert "ONNX2SNN_NATIVE=0" in line


@pytest.fixture
def keep_instructions(library):
    before = finder.instructions(library)
    yield
    assert finder.use_instructions(library, before)


@pytest.mark.usefixtures("keep_instructions")
def test_an_instruction_set_by_name(find, library, monkeypatch):
    monkeypatch.setenv(finder.INSTRUCTIONS, "portable")
    found, (line,) = find(library)
    assert found == library
    assert line.endswith("instruction set portable")
    assert finder.instructions(library) == "portable"


@pytest.mark.usefixtures("keep_instructions")
def test_no_such_instruction_set(find, library, monkeypatch):
    monkeypatch.setenv(finder.INSTRUCTIONS, "abacus")
    best = finder.instructions(library)
    found, (warning, line) = find(library)
    assert found == library
    assert "ONNX2SNN_INSTRUCTIONS=abacus" in warning
    assert line.endswith(best)


def check_unusable(find, path, words):
    found, (line,) = find(path)
    assert found is None
    assert "cannot be used" in line
    assert words in line
    assert "\n" not in line


def test_a_library_without_a_stamp(find, tmp_path):
    path = tmp_path / "strange.so"
    path.write_bytes(b"who knows")
    check_unusable(find, path, "strange.so is damaged or of other sources")


@pytest.fixture
def copy(library, tmp_path):
    """A copy of the library, with its stamp."""
    copied = tmp_path / "copy.so"
    shutil.copy(library, copied)
    shutil.copy(stamp_of(library), stamp_of(copied))
    return copied


def test_a_copy_is_as_good(find, copy):
    found, _ = find(copy)
    assert found == copy


def test_half_a_library(find, copy):
    """Opening one would end the process."""
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2])
    check_unusable(find, copy, "damaged")


def test_a_library_of_other_sources(find, copy, monkeypatch):
    monkeypatch.setattr(compile_module, "FLAGS", ("-O0",))
    check_unusable(find, copy, "of other sources")


def test_a_library_for_another_machine(find, tmp_path):
    path = tmp_path / "foreign.so"
    path.write_bytes(b"\x7fELF of another kind")
    stamp_of(path).write_text(expected_stamp(path))
    check_unusable(find, path, "foreign.so")


def test_an_onnxruntime_that_refuses_it(find, library, monkeypatch):
    class Options:
        def register_custom_ops_library(self, path):
            raise RuntimeError("the kernels need onnxruntime 1.17 or newer")

    monkeypatch.setattr(onnxruntime, "SessionOptions", Options)
    check_unusable(find, library, "1.17 or newer")


def test_sessions_run_without_it(find, tmp_path, network, images, simulate):
    find(tmp_path / "nothing.so")
    for backend in ("auto", "native"):
        answer = SpikingSession(network(), backend=backend).run(images)["answer"]
        np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])
