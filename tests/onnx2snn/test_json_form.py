"""Dataclasses as JSON and back; plans, the largest of them, have tests of their own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from onnx2snn.json_form import MOST_NUMBERS, field_readers, from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    values: npt.NDArray[np.float32]
    name: str = "inner"


@dataclass(frozen=True)
class Outer:
    several: tuple[Inner, ...]
    pair: tuple[float, float]
    absent: Inner | None = None
    named: Mapping[str, Inner] = field(default_factory=dict)


@dataclass(frozen=True)
class Foreign:
    values: set[int]


@dataclass(frozen=True)
class Nested:
    values: Mapping[int, str]


@dataclass(frozen=True)
class Mixed:
    values: tuple[int, float]


@pytest.mark.parametrize("size", [1, MOST_NUMBERS, MOST_NUMBERS + 1])
def test_there_and_back(size):
    values = np.random.default_rng(0).normal(0, 1, size).astype(np.float32)
    values[0] = np.finfo(np.float32).smallest_subnormal
    outer = Outer(
        (Inner(values), Inner(-values, "b")),
        (3.5, float("-inf")),
        Inner(values),
        {"θ": Inner(values)},
    )
    text = json.dumps(to_plain(outer), allow_nan=False)
    back = from_plain(Outer, json.loads(text))
    assert isinstance(back.several[1], Inner)
    assert back.several[1].name == "b"
    assert back.pair == (3.5, float("-inf"))
    for got, wanted in zip(
        (*back.several, back.absent, back.named["θ"]),
        (values, -values, values, values),
        strict=True,
    ):
        assert got.values.tobytes() == wanted.tobytes()


def test_messages_name_the_field():
    with pytest.raises(ValueError, match=r'^pair: number 2: "a" is no number$'):
        from_plain(Outer, {"several": [], "pair": [1, "a"]})
    with pytest.raises(ValueError, match=r"^several: number 1: missing: values$"):
        from_plain(Outer, {"several": [{}], "pair": [1, 1]})
    with pytest.raises(ValueError, match=r"^pair: .* is no list of 2$"):
        from_plain(Outer, {"several": [], "pair": [1, 1, 1]})
    with pytest.raises(ValueError, match=r"^named: \[\] is no object$"):
        from_plain(Outer, {"several": [], "pair": [1, 1], "named": []})


@pytest.mark.parametrize("kind", [Foreign, Nested, Mixed])
def test_types_without_json_form(kind):
    with pytest.raises(TypeError, match="has no JSON form"):
        field_readers(kind)
