"""Files are complete or not there."""

import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn import files
from onnx2snn.errors import OutputFileError
from onnx2snn.files import check_target, write_bytes, write_text


@given(data=st.binary(max_size=200))
def test_bytes_arrive(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any"
    write_bytes(path, data)
    assert path.read_bytes() == data


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a", "θ\n")
    assert (tmp_path / "a").read_bytes() == "θ\n".encode()


@pytest.mark.parametrize("as_text", [True, False])
def test_paths_of_either_kind(tmp_path, as_text):
    path = tmp_path / "a"
    write_bytes(str(path) if as_text else path, b"x")
    assert path.read_bytes() == b"x"


def test_relative_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bytes("a", b"x")
    check_target("b")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_replaces_what_is_there(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old and long")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_never_half(tmp_path):
    """Whoever reads while we write sees the old or the new, whole."""
    path = tmp_path / "a"
    old, new = b"o" * 500_000, b"n" * 500_000
    write_bytes(path, old)
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(path.read_bytes() in {old, new})

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(40):
        write_bytes(path, new if i % 2 else old)
    stop.set()
    reader.join()
    assert seen == {True}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_permissions(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fdopen", "replace"])
def test_failure_leaves_nothing(tmp_path, monkeypatch, error, step):
    def fail(*_):
        raise error

    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(
        *((files.os, "fdopen") if step == "fdopen" else (files.Path, "replace")), fail
    )
    wanted = OutputFileError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(wanted):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("act", [check_target, lambda p: write_bytes(p, b"x")])
class TestRefused:
    def refusal(self, act, path):
        with pytest.raises(OutputFileError) as error:
            act(path)
        assert error.value.file == os.fspath(path)
        assert error.value.remedy
        assert "\n" not in str(error.value)
        return str(error.value)

    def test_folder_missing(self, act, tmp_path):
        assert "No such file" in self.refusal(act, tmp_path / "gone" / "a")
        assert not (tmp_path / "gone").exists()

    def test_folder(self, act, tmp_path):
        assert "is a folder" in self.refusal(act, tmp_path)
        assert "is a folder" in self.refusal(act, "")
        assert "is a folder" in self.refusal(act, f"{tmp_path}/new/")

    def test_below_a_file(self, act, tmp_path):
        (tmp_path / "a").touch()
        assert "Not a directory" in self.refusal(act, tmp_path / "a" / "b")

    def test_long_name(self, act, tmp_path):
        assert "too long" in self.refusal(act, tmp_path / ("x" * 300))

    def test_nul(self, act, tmp_path):
        self.refusal(act, tmp_path / "a\0b")

    def test_circle_of_links(self, act, tmp_path):
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        self.refusal(act, tmp_path / "a")

    def test_not_writable(self, act, tmp_path, monkeypatch):
        monkeypatch.setattr(files.os, "access", lambda *_: False)
        assert "Permission denied" in self.refusal(act, tmp_path / "a")


def test_checking_writes_nothing(tmp_path):
    check_target(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").write_bytes(b"old")
    check_target(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_links_are_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/a")
    write_bytes(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "a").read_bytes() == b"x"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_written_into(tmp_path):
    """And not replaced by a file."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write_bytes(path, b"hello")
    reader.join()
    assert got == [b"hello"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_the_null_device_stays(tmp_path):
    write_bytes(os.devnull, b"x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116
