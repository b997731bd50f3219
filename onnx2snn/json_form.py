"""Dataclasses of plain values and NumPy arrays as JSON, both ways, without loss.

What a field's JSON form is read as, its type says. Arrays are float32 and finite: small ones are
lists that people can read and change, large ones base64 of little-endian bytes with their shape.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

#: Larger arrays are written as base64, so that the rest can be read.
MOST_NUMBERS = 4096

Array: TypeAlias = npt.NDArray[np.float32]
#: From a value in JSON to a field's value; raises ValueError.
Reader: TypeAlias = Callable[[Any], Any]
Kind = TypeVar("Kind")


def to_plain(value: Any) -> Any:
    """Dataclasses become objects, arrays nested lists, infinity a string: plain JSON."""
    if is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {k: to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= MOST_NUMBERS else _packed(value)
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def from_plain(kind: type[Kind], data: Any) -> Kind:
    """An instance of a dataclass from its JSON form.

    Raises:
        ValueError: a field is missing, unknown, or of a wrong kind; says which.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{_shown(data)} is no {kind.__name__}")
    readers = field_readers(kind)
    for what, names in (
        ("missing", [n for n in _required(kind) if n not in data]),
        ("unknown", [n for n in data if n not in readers]),
    ):
        if names:
            raise ValueError(f"{what}: {', '.join(names)}")
    values = {}
    for name, value in data.items():
        try:
            values[name] = readers[name](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return kind(**values)


def field_readers(kind: type[Any]) -> Mapping[str, Reader]:
    """How the JSON form of every field of a dataclass is read.

    Raises:
        TypeError: a field's type has no JSON form.
    """
    return {name: _reader(hint) for name, hint in get_type_hints(kind).items()}


def _required(kind: type[Any]) -> list[str]:
    return [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]


def _reader(hint: Any) -> Reader:
    """The reader of a type as it is written in a dataclass."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _READERS:
        return _READERS[hint]
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(from_plain, hint)
    if origin is np.ndarray:
        return _array
    if origin is UnionType and len(inner) == 2 and inner[1] is NoneType:
        return _optional(_reader(inner[0]))
    if origin is tuple and len({*inner} - {Ellipsis}) == 1:
        return _several(_reader(inner[0]), None if inner[-1] is Ellipsis else len(inner))
    if origin is Mapping and inner[0] is str:
        return _by_name(_reader(inner[1]))
    raise TypeError(f"{hint} has no JSON form")


def _packed(values: Array) -> dict[str, Any]:
    """A large array: its shape, and its bytes as base64."""
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return {"shape": list(values.shape), "float32": base64.b64encode(raw).decode("ascii")}


def _unpacked(value: Mapping[str, Any]) -> Array:
    """The array of :func:`_packed`."""
    if set(value) != {"shape", "float32"}:
        raise ValueError(f"{_shown(value)} is no array of numbers")
    shape = _several(_whole)(value["shape"])
    try:
        raw = base64.b64decode(_text(value["float32"]), validate=True)
        flat = np.frombuffer(raw, dtype="<f4").astype(np.float32)
        return flat.reshape(shape) if all(n >= 0 for n in shape) else flat.reshape(())
    except ValueError as error:
        raise ValueError(f"{_shown(value['shape'])} and its bytes do not fit") from error


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]} …"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is no text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not true or false")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is no whole number")
    return value


def _number(value: Any) -> float:
    """A number; infinity is text in JSON."""
    if value in ("inf", "-inf"):
        return float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is no number")
    if not abs(value) <= sys.float_info.max:
        raise ValueError(f"{_shown(value)} is not finite")
    return float(value)


def _array(value: Any) -> Array:
    given = _unpacked(value) if isinstance(value, dict) else value
    array = np.atleast_1d(given)  # fails on ragged lists
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise ValueError(f"{_shown(value)} is no array of numbers")
    with np.errstate(over="ignore"):  # refused in the next line
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{_shown(value)} is not finite in float32")
    return array


def _several(read: Reader, length: int | None = None) -> Reader:
    def reader(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or length not in {None, len(value)}:
            raise ValueError(f"{_shown(value)} is no list" + (f" of {length}" if length else ""))
        items = []
        for i, item in enumerate(value):
            try:
                items.append(read(item))
            except ValueError as error:
                raise ValueError(f"number {i + 1}: {error}") from error
        return tuple(items)

    return reader


def _optional(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _by_name(read: Reader) -> Reader:
    def reader(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"{_shown(value)} is no object")
        return {name: read(item) for name, item in value.items()}

    return reader


_READERS: dict[Any, Reader] = {str: _text, bool: _flag, int: _whole, float: _number}
