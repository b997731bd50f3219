"""Write files so that they are complete or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from onnx2snn.errors import OutputFileError


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write beside the target, then rename.

    Raises:
        OutputFileError: the folder is missing, not writable or full.
    """
    target = Path(path)
    if target.is_dir():
        raise OutputFileError("is a folder", file=target, remedy="give a file name")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise OutputFileError(
            f"cannot be written ({error.strerror})", file=target, remedy="check the folder"
        ) from error
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        beside.chmod(0o666 & ~_umask())
        beside.replace(target)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputFileError(
                f"cannot be written ({error.strerror})", file=target, remedy="check the disk"
            ) from error
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """As :func:`write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def _umask() -> int:
    """The process's umask; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
