"""Write files so that they are complete or not there."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnx2snn.errors import OutputFileError


def check_target(path: str | os.PathLike[str]) -> None:
    """Check, before long work, that a file can be written there.

    Raises:
        OutputFileError: it is a folder, or its own folder is missing or not writable.
    """
    with _refused(path):
        _target(path)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write beside the target, then rename; into a device or a pipe, write straight.

    Raises:
        OutputFileError: the folder is missing, not writable or full.
    """
    with _refused(path):
        target, special = _target(path)
        if special:
            target.write_bytes(data)
        else:
            _replace(target, data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """As :func:`write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file that was written there, links followed, if it is there.

    Raises:
        OutputFileError: its folder is not writable.
    """
    try:
        Path(os.path.realpath(path)).unlink(missing_ok=True)
    except OSError as error:
        raise OutputFileError(
            f"cannot be removed ({error.strerror or error})", file=path, remedy="check the folder"
        ) from error


def _target(path: str | os.PathLike[str]) -> tuple[Path, bool]:
    """The file that a path means, links followed, and whether it is a device or a pipe."""
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode) or os.fspath(path).endswith(os.sep):
        raise OutputFileError("is a folder", file=path, remedy="give a file name")
    special = not stat.S_ISREG(mode)
    if not stat.S_ISDIR(target.parent.stat().st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not special and not os.access(target.parent, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return target, special


def _replace(target: Path, data: bytes) -> None:
    # Not named after the target, whose name may be as long as the file system allows.
    handle, name = tempfile.mkstemp(prefix=".onnx2snn.", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())  # or a power cut may leave the new name on an empty file
        beside.chmod(0o666 & ~_umask())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def _refused(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the operating system has against a path, as an error that names it."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = getattr(error, "strerror", None) or error
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise OutputFileError(
            f"cannot be written ({reason})",
            file=path,
            remedy="make room on the disk" if full else "check the folder",
        ) from error


def _umask() -> int:
    """The process's umask; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
