"""Damage to the content of a file that stays readable: values, names and sizes that cannot be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import numpy_helper

WHOLE = (0, 1, -1, 2, 3, 7, 16, 255, 65536, 2**31 - 1, -(2**31), 2**62, -(2**63))
REAL = (0.0, -1.0, 1e-30, 1e30, -1e38, float("nan"), float("inf"), 0.5)
TEXT = ("", "Relu", "Conv", "Loop", "x", "org.onnx2snn", "NOTSET", "SAME_UPPER", "timesteps")
WHOLE_TYPES = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
#: In JSON a value may become one of another type.
JSON_VALUES = (None, True, "", "relu", [], {}, [1, "a"], *WHOLE, *REAL)


def damaged_model(data: bytes, rng: np.random.Generator) -> bytes:
    """An ONNX file with one field of it changed, removed, doubled or exchanged."""
    model = onnx.load_from_string(data)
    if rng.random() < 0.3:
        damage_numbers(model, rng)
    else:
        message, field = _pick(list(_fields(model)), rng)
        _damage(message, field, rng)
    return model.SerializeToString()


def _pick(choices: list[Any], rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _fields(message: Message) -> Any:
    """Every field that is set, with its message; numbers of constants aside."""
    for field, value in message.ListFields():
        if field.name == "raw_data":
            continue
        yield message, field
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                yield from _fields(part)


def _damage(message: Message, field: FieldDescriptor, rng: np.random.Generator) -> None:
    if rng.random() < 0.2:
        message.ClearField(field.name)
    elif field.is_repeated:
        _damage_list(getattr(message, field.name), field, rng)
    elif field.message_type is not None:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _value(field, rng))


def _damage_list(values: Any, field: FieldDescriptor, rng: np.random.Generator) -> None:
    kind = int(rng.integers(3))
    place = int(rng.integers(len(values)))
    if kind == 0:
        del values[place]
    elif kind == 1:
        values.append(values[place])
    elif field.message_type is None:
        values[place] = _value(field, rng)
    else:
        other = type(values[0])()
        other.CopyFrom(_pick(list(values), rng))
        values[place].CopyFrom(other)


def _value(field: FieldDescriptor, rng: np.random.Generator) -> Any:
    if field.cpp_type in WHOLE_TYPES:
        value = _pick(WHOLE, rng)
        narrow = field.cpp_type == FieldDescriptor.CPPTYPE_INT32
        return int(np.int64(value).astype(np.int32)) if narrow else value
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return int(rng.integers(0, 12))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = _pick(TEXT, rng)
        return text if field.type == FieldDescriptor.TYPE_STRING else text.encode()
    return _pick(REAL, rng)


def damage_numbers(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """One number of a constant, or all: a dead layer, a scale of zero, a size of 2⁶²."""
    tensor = _pick(list(model.graph.initializer), rng)
    values = numpy_helper.to_array(tensor).copy()
    if values.dtype.kind not in "fiu" or not values.size:
        return
    if values.dtype.kind == "f":
        value = np.asarray(_pick(REAL, rng)).astype(values.dtype)
    else:
        value = np.asarray(_pick(WHOLE, rng)).astype(values.dtype)
    if rng.random() < 0.5:
        values.reshape(-1)[int(rng.integers(values.size))] = value
    else:
        values[...] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def damaged_json(data: bytes, rng: np.random.Generator) -> bytes:
    """JSON with one value changed or removed."""
    document = json.loads(data)
    holder, key = _pick(list(_places(document)), rng)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = _pick(JSON_VALUES, rng)
    return json.dumps(document).encode()


def _places(value: Any) -> Any:
    """Every list and object of the document with each of its keys."""
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
