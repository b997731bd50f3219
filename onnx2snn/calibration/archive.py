"""Read .npz archives in pieces, so that a data set never has to fit into memory.

Pickled (object) arrays are refused: loading one would run code.
"""

from __future__ import annotations

import lzma
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.errors import DataError

Array: TypeAlias = npt.NDArray[Any]

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class Rows(Protocol):
    """An array that is read from its first row to its last."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        ...

    def chunks(self, rows: int) -> Iterator[Array]:
        """The array in pieces of ``rows`` rows, the last one shorter."""
        ...


@dataclass(frozen=True)
class MemoryRows:
    """An array in memory, as :class:`Rows`."""

    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self.values.dtype

    def chunks(self, rows: int) -> Iterator[Array]:
        """The array in pieces."""
        for start in range(0, len(self.values), rows):
            yield self.values[start : start + rows]


@dataclass(frozen=True)
class ArchiveRows:
    """A member of an .npz archive, as :class:`Rows`; nothing is kept between chunks."""

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool

    def chunks(self, rows: int) -> Iterator[Array]:
        """The array in pieces.

        Raises:
            DataError: the archive is damaged or shorter than it says.
        """
        with (
            _guarded(self.file),
            zipfile.ZipFile(self.file) as archive,
            archive.open(f"{self.key}.npy") as stream,
        ):
            _header(stream)
            if self.fortran_order:
                whole = self._read(stream, self.shape[::-1]).T
                yield from MemoryRows(whole).chunks(rows)
                return
            for start in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - start)
                yield self._read(stream, (count, *self.shape[1:]))

    def _read(self, stream: Any, shape: tuple[int, ...]) -> Array:
        wanted = prod(shape) * self.dtype.itemsize
        data = stream.read(wanted)
        if len(data) != wanted:
            raise _truncated(self.file, self.key)
        return np.frombuffer(data, dtype=self.dtype).reshape(shape)


def open_archive(path: str | os.PathLike[str]) -> dict[str, ArchiveRows]:
    """The arrays of an .npz archive by name; only their headers are read.

    Raises:
        DataError: missing, not an .npz archive, damaged, or with an object array in it.
    """
    file = Path(path)
    arrays = {}
    with _guarded(file), zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            key = member.removesuffix(".npy")
            with archive.open(member) as stream:
                shape, fortran_order, dtype = _header(stream)
                start = stream.tell()
            if dtype.hasobject:
                raise DataError(
                    f"array '{key}' holds Python objects, which are never loaded",
                    file=file,
                    remedy="save it as an array of numbers",
                )
            # Before anybody makes room for it.
            if start + prod(shape) * dtype.itemsize > archive.getinfo(member).file_size:
                raise _truncated(file, key)
            arrays[key] = ArchiveRows(file, key, shape, dtype, fortran_order)
    if not arrays:
        raise DataError("holds no arrays", file=file, remedy="save one with numpy.savez")
    return arrays


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = _READ_HEADER.get(version)
    if read is None:
        raise ValueError(f"unknown array format version {version}")
    with warnings.catch_warnings():  # of headers that Python 2 wrote
        warnings.simplefilter("ignore")
        shape, fortran_order, dtype = read(stream)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    return shape, fortran_order, dtype


def _truncated(file: Path, key: str) -> DataError:
    return DataError(f"array '{key}' is truncated", file=file, remedy="save the archive again")


#: What zipfile, its decompressors and numpy raise on damaged and on encrypted archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    ValueError,
)


class _guarded:  # noqa: N801  a context manager, used like a function
    """Turns what is raised on bad files into a DataError."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        remedy = "give an .npz archive as numpy.savez writes it"
        if isinstance(error, _DAMAGE):
            raise DataError(
                f"is not an .npz archive, or it is damaged ({error})", file=self.file, remedy=remedy
            ) from error
        if isinstance(error, OSError):
            raise DataError(
                f"cannot be read ({error.strerror or error})",
                file=self.file,
                remedy="check the path",
            ) from error
