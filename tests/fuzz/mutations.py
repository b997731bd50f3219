"""Damage to the bytes of a file: what a bad disk, a cut transfer or an editor does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

#: Values of a protobuf byte that change a field's kind, length or sign.
TELLING = (0x00, 0x01, 0x07, 0x08, 0x7F, 0x80, 0xFF)
#: Most bytes cut out, put in or overwritten at once, cut tails aside.
BLOCK = 64
#: Constants of at least so many bytes are numbers, in which damage shows seldom.
LARGE = 32


def structure(data: bytes) -> np.ndarray:
    """Places of an ONNX file's bytes that are names, attributes and sizes, not weights."""
    places = np.ones(len(data), dtype=bool)
    for tensor in onnx.load_from_string(data).graph.initializer:
        start = data.find(tensor.raw_data) if len(tensor.raw_data) >= LARGE else -1
        if start >= 0:
            places[start : start + len(tensor.raw_data)] = False
    return np.flatnonzero(places)


def flip(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place] ^= 1 << int(rng.integers(8))


def overwrite(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place] = int(rng.choice(TELLING))


def cut(data: bytearray, place: int, rng: np.random.Generator) -> None:
    del data[place : place + int(rng.integers(1, 9))]


def truncate(data: bytearray, place: int, rng: np.random.Generator) -> None:
    del data[place:]


def insert(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place:place] = rng.bytes(int(rng.integers(1, BLOCK)))


def clear(data: bytearray, place: int, rng: np.random.Generator) -> None:
    end = min(place + int(rng.integers(1, BLOCK)), len(data))
    data[place:end] = bytes(end - place)


def move(data: bytearray, place: int, rng: np.random.Generator) -> None:
    """A block over another, as of a mixed-up transfer."""
    source = int(rng.integers(len(data)))
    block = data[source : source + int(rng.integers(1, BLOCK))]
    data[place : place + len(block)] = block


#: Those that keep the file readable come more often: they reach further.
MUTATIONS: tuple[Callable[[bytearray, int, np.random.Generator], None], ...] = (
    flip, flip, flip, overwrite, overwrite, cut, truncate, insert, clear, move,
)  # fmt: skip


def mutated(data: bytes, places: np.ndarray, rng: np.random.Generator) -> bytes:
    """The bytes with one to three damages, at some of the given places."""
    changed = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        if not changed:
            break
        place = min(int(rng.choice(places)), len(changed) - 1)
        MUTATIONS[int(rng.integers(len(MUTATIONS)))](changed, place, rng)
    return bytes(changed)
