"""The tree of exceptions, and errors that learn the file they are about."""

import re
from pathlib import Path

import numpy as np
import pytest

import onnx2snn_runtime.errors
from onnx2snn import errors
from onnx2snn.errors import (
    ConfigError,
    DataError,
    ModelFileError,
    Onnx2SnnError,
    UnsupportedModelError,
    computing,
    naming,
)

KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, Onnx2SnnError)
}


def test_the_docstring_is_the_tree():
    told = re.findall(r"── (\w+)", errors.__doc__)
    assert set(told) | {"Onnx2SnnError"} == set(KINDS)
    assert len(told) == len(set(told))


def test_everything_is_exported():
    assert set(KINDS) | {"computing", "naming"} == set(errors.__all__)
    assert set(vars(onnx2snn_runtime.errors)) & set(KINDS) < set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_kind(kind):
    assert issubclass(kind, Onnx2SnnError)
    assert kind.__doc__
    error = kind("what", file="f", node="n", remedy="do")
    assert str(error) == "f: node n: what; do"


def test_wrong_options_are_value_errors():
    assert issubclass(ConfigError, ValueError)


class TestNaming:
    def test_fills_in_what_is_missing(self):
        with pytest.raises(DataError) as error, naming(Path("f"), DataError, remedy="do"):
            raise DataError("what")
        assert str(error.value) == "f: what; do"
        assert error.value.file == "f"

    def test_keeps_what_is_there(self):
        with pytest.raises(DataError) as error, naming("f", DataError, remedy="do"):
            raise DataError("what", file="own", remedy="better")
        assert str(error.value) == "own: what; better"

    def test_the_inner_one_wins(self):
        with pytest.raises(DataError) as error, naming("outer", DataError), naming("f", DataError):
            raise DataError("what")
        assert str(error.value) == "f: what"

    def test_other_kinds_pass(self):
        for raised in (ModelFileError("what"), KeyError("what")):
            with pytest.raises(type(raised)) as error, naming("f", DataError, remedy="do"):
                raise raised
            assert error.value is raised
            assert str(error.value) in {"what", "'what'"}

    def test_no_file(self):
        with pytest.raises(DataError) as error, naming(None, DataError):
            raise DataError("what")
        assert str(error.value) == "what"

    def test_nothing_happens_without_error(self):
        with naming("f", DataError):
            pass


@pytest.mark.parametrize(
    "compute",
    [
        lambda: np.float32([1e30]) * np.float32(1e30),
        lambda: np.array([1e300]).astype(np.float32),
        lambda: np.sqrt(np.float32([-1.0])),
        lambda: np.float32([1.0]) / np.float32(0.0),
    ],
    ids=["overflow", "cast", "invalid", "division"],
)
def test_computing_makes_errors_of_warnings(compute):
    kind = UnsupportedModelError
    said = pytest.raises(kind, match="cannot be computed with")
    with said as error, naming("f", kind), computing():
        compute()
    assert error.value.file == "f"
