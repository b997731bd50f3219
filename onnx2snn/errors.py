"""The tree of exceptions. Each prints as one line: file, node, what is wrong, remedy.

::

    Onnx2SnnError
    ├── ModelFileError          a model file is missing, corrupt, or not what it should be
    ├── DataError               input data is missing, empty, of wrong shape or type, not finite
    ├── UnsupportedModelError   the model holds nodes that cannot be converted
    ├── CalibrationError        a method cannot be applied to this model or these data
    ├── PlanError               a plan file is corrupt or belongs to another model
    ├── CheckpointError         what calibration kept is damaged or of another calibration
    ├── ConfigError             options that cannot be, alone or together (also a ValueError)
    ├── StrictError             an approximation was made and strict mode forbids it
    ├── OutputFileError         a result cannot be written
    ├── TimestepsError          the file was made for another number of time steps
    ├── BackendError            the backend is unknown or failed
    └── RegistryError           a name is registered twice or not at all
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from onnx2snn_runtime.errors import (
    BackendError,
    DataError,
    ModelFileError,
    Onnx2SnnError,
    RegistryError,
    TimestepsError,
)

__all__ = [
    "BackendError",
    "CalibrationError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "ModelFileError",
    "Onnx2SnnError",
    "OutputFileError",
    "PlanError",
    "RegistryError",
    "StrictError",
    "TimestepsError",
    "UnsupportedModelError",
    "computing",
    "naming",
]


class UnsupportedModelError(Onnx2SnnError):
    """The model holds nodes that cannot be converted."""


class CalibrationError(Onnx2SnnError):
    """A method cannot be applied to this model or these data."""


class PlanError(Onnx2SnnError):
    """A plan file is corrupt, too new, or belongs to another model."""


class CheckpointError(Onnx2SnnError):
    """What calibration kept is damaged, too new, or of another calibration."""


class ConfigError(Onnx2SnnError, ValueError):
    """Options that cannot be, alone or together."""


class StrictError(Onnx2SnnError):
    """An approximation was made and strict mode forbids it."""


class OutputFileError(Onnx2SnnError):
    """A result cannot be written."""


@contextmanager
def naming(
    file: str | os.PathLike[str] | None,
    *kinds: type[Onnx2SnnError],
    remedy: str | None = None,
) -> Iterator[None]:
    """Errors of these kinds that leave the block name the file, and the remedy if they have none.

    For rooms that see arrays or graphs and do not know where they came from.
    """
    try:
        yield
    except kinds as error:
        if error.file is None and file is not None:
            error.file = os.fspath(file)
        error.remedy = error.remedy or remedy
        raise


@contextmanager
def computing() -> Iterator[None]:
    """Numbers that leave their type's range in the block are an error of the model, no warning.

    Raises:
        UnsupportedModelError: NumPy met an overflow, a division by zero or an invalid operation.
    """
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        raise UnsupportedModelError(
            f"holds or leads to numbers that cannot be computed with ({error})",
            remedy="look for extreme weights, scales or variances; export from a sound checkpoint",
        ) from error
