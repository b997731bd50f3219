"""Checkpoints give back what was kept, or say in one line why they cannot."""

import hashlib
import json
import os
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn import checkpoint as module
from onnx2snn.checkpoint import NOWHERE, SHARE, Checkpoint, Place
from onnx2snn.errors import CheckpointError, OutputFileError
from onnx2snn.json_form import Array

OF = {"model": "a", "seed": "0"}


@dataclass(frozen=True)
class Result:
    """What a stage may find."""

    values: Array
    name: str = ""


def result(size=3, name="θ\n\t"):
    return Result(np.random.default_rng(size).normal(0, 1, size).astype(np.float32), name)


def begun(file, of=OF):
    checkpoint = Checkpoint(file)
    checkpoint.begin(of)
    return checkpoint


@pytest.fixture
def file(tmp_path):
    """Of a checkpoint with two results."""
    path = tmp_path / "checkpoint"
    checkpoint = begun(path)
    checkpoint.keep("a/0", result(5))
    checkpoint.keep("b", result(5000))
    checkpoint.save()
    return path


def refusal(file, of=OF, kind=CheckpointError):
    with pytest.raises(kind) as error:
        begun(file, of)
    assert error.value.file == str(file)
    assert error.value.remedy
    assert "\n" not in str(error.value)
    return str(error.value)


def test_there_and_back(file):
    checkpoint = begun(file)
    for place, size in (("a/0", 5), ("b", 5000)):
        got, wanted = checkpoint.recall(place, Result), result(size)
        assert got.values.tobytes() == wanted.values.tobytes()
        assert got.name == wanted.name
    assert checkpoint.recall("a", Result) is None
    assert checkpoint.recall("a/1", Result) is None


def test_what_was_there_stays_when_more_is_kept(file):
    begun(file).keep("c", result())
    checkpoint = begun(file)
    assert all(checkpoint.recall(place, Result) for place in ("a/0", "b", "c"))


def test_a_whole_takes_the_place_of_its_parts(file):
    checkpoint = begun(file)
    checkpoint.keep("ab", result())
    checkpoint.keep("a", result(7))
    checkpoint.save()
    checkpoint = begun(file)
    assert checkpoint.recall("a/0", Result) is None
    assert len(checkpoint.recall("a", Result).values) == 7
    assert checkpoint.recall("ab", Result) is not None


def failing(file, error, kept=(), *, begins=True):
    """A block that keeps results, and then fails."""
    with Checkpoint(file) as checkpoint:
        if begins:
            checkpoint.begin(OF)
        for place in kept:
            checkpoint.keep(place, result())
        raise error


class TestWith:
    def test_success_removes(self, file):
        with Checkpoint(file) as checkpoint:
            checkpoint.begin(OF)
            assert file.exists()
        assert not file.exists()

    def test_success_without_a_file(self, tmp_path):
        with Checkpoint(tmp_path / "none") as checkpoint:
            checkpoint.begin(OF)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_errors_keep_the_last_results_too(self, error, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "SHARE", 1e-12)  # one write, and no more for long
        killed = begun(tmp_path / "killed")
        killed.keep("0", result())
        killed.keep("1", result())
        assert begun(tmp_path / "killed").recall("1", Result) is None
        with pytest.raises(error):
            failing(tmp_path / "failed", error, kept=("0", "1"))
        assert begun(tmp_path / "failed").recall("1", Result) is not None

    def test_errors_before_any_result(self, tmp_path):
        with pytest.raises(KeyError):
            failing(tmp_path / "a", KeyError)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("begins", [True, False])
    def test_errors_leave_a_file_without_news_alone(self, begins, file):
        before = file.stat()
        with pytest.raises(KeyError):
            failing(file, KeyError, begins=begins)
        assert file.stat() == before

    def test_a_folder_that_went_away(self, tmp_path):
        folder = tmp_path / "folder"
        folder.mkdir()
        checkpoint = begun(folder / "a")
        folder.rmdir()
        with pytest.raises(OutputFileError) as error:
            checkpoint.keep("0", result())
        assert error.value.file == str(folder / "a")


def test_links_are_followed(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(KeyError):
        failing(link, KeyError, kept="c")
    assert link.is_symlink()
    with Checkpoint(link) as checkpoint:
        checkpoint.begin(OF)
        assert checkpoint.recall("c", Result) is not None
    assert not file.exists()


def test_writing_takes_its_share_of_the_time_and_no_more(tmp_path, monkeypatch):
    """A thousand results, a tenth of a second each; a write takes longer than a result."""
    now, written = [0.0], []

    def write(file, data):
        now[0] += 0.15
        written.append(data)

    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "write_bytes", write)
    checkpoint = begun(tmp_path / "a")
    for number in range(1000):
        now[0] += 0.1
        checkpoint.keep(str(number), result(1))
        assert number > 0 or len(written) == 1  # the first at once
    spent = 0.15 * len(written)
    assert 0.5 * SHARE < spent / now[0] < 1.5 * SHARE


class TestOfAnother:
    @pytest.mark.parametrize(
        ("of", "differ"),
        [
            ({**OF, "seed": "1"}, ["seed"]),
            ({"model": "b", "seed": "1"}, ["model", "seed"]),
            ({"model": "a"}, ["seed"]),
            ({**OF, "leak": "0"}, ["leak"]),
        ],
    )
    def test_calibration(self, of, differ, file):
        before = file.read_bytes()
        text = refusal(file, of)
        assert f"another calibration, of which differ: {', '.join(differ)}; " in text
        assert "same command" in text
        assert file.read_bytes() == before

    def test_kind(self, file):
        @dataclass(frozen=True)
        class Other:
            values: Array

        with pytest.raises(CheckpointError, match=r"is damaged \(b: unknown: name\)"):
            begun(file).recall("b", Other)


@given(data=st.data())
def test_any_damage_is_found(data, tmp_path_factory):
    """Wherever a byte is changed or the file is cut: never another result than the one kept."""
    file = tmp_path_factory.mktemp("damaged") / "checkpoint"
    checkpoint = begun(file)
    checkpoint.keep("a", result(50))
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda b: b != whole[at]))
    changed = whole[:at] + bytes([other]) + whole[at + 1 :]
    for content in (changed, whole[:at]):
        file.write_bytes(content)
        try:
            found = begun(file).recall("a", Result)
        except CheckpointError:
            continue
        # Some of the first line may be different, such as a blank.
        assert found.values.tobytes() == result(50).values.tobytes()
        assert content.partition(b"\n")[2] == whole.partition(b"\n")[2]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"text", b"\xff\xfe", b"[" * 100_000, b"{}\n", b'{"schema": "onnx2snn.plan"}\n'],
    ids=["empty", "line", "text", "bytes", "deep", "object", "plan"],
)
def test_other_files_are_never_overwritten(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    assert "is no checkpoint" in refusal(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == content


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"model": "a", "seed": "0"}\na\t{', b"7"])
def test_forged(body, tmp_path):
    """A right digest of wrong content."""
    header = {"schema": module.SCHEMA, "schema_version": 1}
    header["sha256"] = hashlib.sha256(body).hexdigest()
    (tmp_path / "a").write_bytes(json.dumps(header).encode() + b"\n" + body)
    with pytest.raises(CheckpointError, match="is damaged"):
        begun(tmp_path / "a").recall("a", Result)


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_unknown_version(version, file):
    head, _, body = file.read_bytes().partition(b"\n")
    header = {**json.loads(head), "schema_version": version}
    file.write_bytes(json.dumps(header).encode() + b"\n" + body)
    assert f"schema version {version}, this onnx2snn reads 1" in refusal(file)


def test_places_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refusal(tmp_path / "pipe")
    assert "is a folder" in refusal(tmp_path, kind=OutputFileError)
    assert "No such file" in refusal(tmp_path / "gone" / "a", kind=OutputFileError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read(file):
    file.chmod(0)
    assert "Permission denied" in refusal(file)


class TestPlace:
    def test_names(self):
        assert (NOWHERE / "a" / "b").name == "a/b"

    def test_nowhere_nothing_is_kept(self):
        place = NOWHERE / "a"
        place.keep(result())
        assert place.recall(Result) is None
        made = []
        for _ in range(2):
            place.once(Result, lambda: made.append(1) or result())
        assert len(made) == 2

    def test_once(self, tmp_path):
        made = []
        for _ in range(2):
            place = Place(begun(tmp_path / "a")) / "x"
            got = place.once(Result, lambda: made.append(1) or result())
            assert got.name == result().name
        assert len(made) == 1
