"""What calibration has found so far, in a file, to go on from after an interruption.

The file is text: a line that says what it is, with the SHA-256 of all that follows; a line that
says which calibration it is of; and a line for each result, its place and its JSON form. It is
replaced as a whole, so that it is complete at any time, and only as often as costs a small share of
the time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, TypeVar

from onnx2snn.errors import CheckpointError
from onnx2snn.files import check_target, remove, write_bytes
from onnx2snn.json_form import from_plain, to_plain

SCHEMA = "onnx2snn.checkpoint"
SCHEMA_VERSION = 1
#: Share of the time that goes into writing.
SHARE = 0.005
ANEW = "delete it to begin anew"

Kind = TypeVar("Kind")

log = logging.getLogger("onnx2snn")


class Checkpoint:
    """A file with what a calibration has found so far.

    ::

        with Checkpoint("calibration.checkpoint") as checkpoint:
            result = onnx2snn.convert("model.onnx", ..., checkpoint=checkpoint)
            result.save("model.snn.onnx")

    If the block ends in an error or is interrupted, the file is there, and the same block goes on
    from it; otherwise it is removed.

    Args:
        file: its path.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = os.fspath(file)
        self._of: Mapping[str, str] = {}
        self._found: dict[str, bytes] = {}
        self._news: dict[str, Any] = {}
        self._saved = True
        self._due = -float("inf")

    def __enter__(self) -> Checkpoint:
        """Nothing is read before a calibration begins."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the file up to date after an error, else remove it."""
        if error is None:
            remove(self.file)
        elif not self._saved:
            self.save()

    def begin(self, of: Mapping[str, str]) -> None:
        """Read what is there already.

        Args:
            of: what the results depend on, by name.

        Raises:
            CheckpointError: the file is damaged, no checkpoint, or of another calibration.
            OutputFileError: it cannot be written.
        """
        check_target(self.file)
        self._of, self._found, self._news, self._saved = of, {}, {}, True
        path = Path(self.file)
        if not path.exists():
            return
        if not path.is_file():
            raise self._error("is no regular file", "give another name")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror})", "check the path") from error
        known, self._found = self._parsed(data)
        others = [name for name in {**known, **of} if known.get(name) != of.get(name)]
        if others:
            raise self._error(
                f"is of another calibration, of which differ: {', '.join(others)}",
                f"give the same command, or {ANEW}",
            )
        log.info("%s holds %d results", self.file, len(self._found))

    def recall(self, place: str, kind: type[Kind]) -> Kind | None:
        """What was found at a place; None if that is not settled yet.

        Raises:
            CheckpointError: it is something else.
        """
        if place in self._news:
            self._put_down()
        if place not in self._found:
            return None
        try:
            return from_plain(kind, json.loads(self._found[place]))
        except (ValueError, RecursionError) as error:
            raise self._error(f"is damaged ({place}: {error})", ANEW) from error

    def keep(self, place: str, value: Any) -> None:
        """A result, in place of its parts.

        Args:
            place: whose result it is.
            value: a dataclass with a JSON form; it must not be changed any more.

        Raises:
            OutputFileError: it cannot be written.
        """
        for known in (self._found, self._news):
            for part in [p for p in known if p.startswith(f"{place}/")]:
                del known[part]
        self._news[place], self._saved = value, False
        if monotonic() >= self._due:
            self.save()

    def save(self) -> None:
        """Write the file now.

        Raises:
            OutputFileError: it cannot be written.
        """
        begun = monotonic()
        self._put_down()
        found = (place.encode() + b"\t" + text for place, text in self._found.items())
        body = b"\n".join([json.dumps(self._of).encode(), *found])
        header = {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        write_bytes(self.file, json.dumps(header).encode() + b"\n" + body)
        self._saved = True
        now = monotonic()
        self._due = now + (now - begun) / SHARE

    def _put_down(self) -> None:
        """Results in their JSON form: not before it is needed, for it takes time."""
        for place, value in self._news.items():
            self._found[place] = json.dumps(to_plain(value), allow_nan=False).encode()
        self._news.clear()

    def _parsed(self, data: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
        """Of which calibration the file is, and its results by place."""
        head, _, body = data.partition(b"\n")
        try:
            header = json.loads(head)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict) or header.get("schema") != SCHEMA:
            raise self._error("is no checkpoint", "give another name")
        version = header.get("schema_version")
        if version != SCHEMA_VERSION:
            raise self._error(
                f"has schema version {version}, this onnx2snn reads {SCHEMA_VERSION}", ANEW
            )
        if header.get("sha256") != hashlib.sha256(body).hexdigest():
            raise self._error("is damaged", ANEW)
        first, *lines = body.split(b"\n")
        try:
            found = (line.partition(b"\t") for line in lines)
            return dict(json.loads(first)), {place.decode(): text for place, _, text in found}
        except (ValueError, TypeError, RecursionError) as error:
            raise self._error(f"is damaged ({error})", ANEW) from error

    def _error(self, what: str, remedy: str) -> CheckpointError:
        return CheckpointError(what, file=self.file, remedy=remedy)


@dataclass(frozen=True)
class Place:
    """A place in a checkpoint; parts of it are reached by ``/``.

    Attributes:
        checkpoint: where results are kept; None: nowhere.
        name: of the place.
    """

    checkpoint: Checkpoint | None = None
    name: str = ""

    def __truediv__(self, part: str) -> Place:
        """A part of it."""
        return replace(self, name=f"{self.name}/{part}" if self.name else part)

    def recall(self, kind: type[Kind]) -> Kind | None:
        """See :meth:`Checkpoint.recall`."""
        return None if self.checkpoint is None else self.checkpoint.recall(self.name, kind)

    def keep(self, value: Any) -> None:
        """See :meth:`Checkpoint.keep`."""
        if self.checkpoint is not None:
            self.checkpoint.keep(self.name, value)

    def once(self, kind: type[Kind], find: Callable[[], Kind]) -> Kind:
        """What was found here; it is found and kept if it was not."""
        known = self.recall(kind)
        if known is None:
            known = find()
            self.keep(known)
        return known


#: For calibrations that keep nothing.
NOWHERE = Place()
