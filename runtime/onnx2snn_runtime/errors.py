"""The root of the exception tree and the branches that the runtime raises.

``onnx2snn.errors`` shows the whole tree. Every error prints as one line that names the file,
the node and the remedy, as far as they are known.
"""

from __future__ import annotations

import os


class Onnx2SnnError(Exception):
    """Root of everything that onnx2snn and its runtime raise on purpose.

    Args:
        what: what is wrong, without a trailing full stop.
        file: the file concerned.
        node: the node concerned, by name, or ``name (OpType)``.
        remedy: what the user can do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | os.PathLike[str] | None = None,
        node: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.file = None if file is None else os.fspath(file)
        self.node = node
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        place = [p for p in (self.file, self.node and f"node {self.node}") if p]
        text = ": ".join([*place, self.what])
        if self.remedy:
            text = f"{text}; {self.remedy}"
        return " ".join(text.split())


class ModelFileError(Onnx2SnnError):
    """A model file is missing, unreadable, corrupt, or not what it should be."""


class DataError(Onnx2SnnError):
    """Input data is missing, empty, of the wrong shape or type, or not finite."""


class TimestepsError(Onnx2SnnError):
    """The file's constants were made for another number of time steps."""


class BackendError(Onnx2SnnError):
    """The chosen backend or execution provider is unknown or failed."""


class RegistryError(Onnx2SnnError):
    """A name is registered twice, or nothing is registered under it."""
