"""Errors print as one line: file, node, what, remedy."""

import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn_runtime import errors
from onnx2snn_runtime.errors import Onnx2SnnError

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)
]


def test_there_are_kinds():
    assert len(KINDS) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_kind(kind):
    assert issubclass(kind, Onnx2SnnError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({}, "is broken"),
        ({"file": "m.onnx"}, "m.onnx: is broken"),
        ({"file": Path("a") / "m.onnx"}, f"{Path('a') / 'm.onnx'}: is broken"),
        ({"node": "conv1"}, "node conv1: is broken"),
        ({"remedy": "mend it"}, "is broken; mend it"),
        (
            {"file": "m.onnx", "node": "conv1 (Conv)", "remedy": "mend it"},
            "m.onnx: node conv1 (Conv): is broken; mend it",
        ),
    ],
)
def test_text(given_, text):
    assert str(Onnx2SnnError("is broken", **given_)) == text


def test_parts_stay_apart():
    error = Onnx2SnnError("is broken", file=Path("m.onnx"), node="n", remedy="mend it")
    assert (error.what, error.file, error.node, error.remedy) == (
        "is broken",
        "m.onnx",
        "n",
        "mend it",
    )
    assert str(copy.copy(error)) == str(error)  # as when it crosses a process pool


WORDS = st.text(min_size=1, max_size=20)


@given(what=WORDS, file=WORDS, node=WORDS, remedy=WORDS)
def test_always_one_line(what, file, node, remedy):
    text = str(Onnx2SnnError(what, file=file, node=node, remedy=remedy))
    assert len(text.splitlines()) == 1
    assert "".join(what.split()) in "".join(text.split())
