"""Results that cannot be written: one line, no rest of a file, what was there stays there."""

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from onnx2snn import files as writing

#: Every way in which a verb writes a file, with what stands for the file's name.
WRITES = {
    "convert": lambda f, name: ("convert", f.float, "-o", name),
    "save plan": lambda f, name: ("convert", f.float, "--dry-run", "--save-plan", name),
    "run": lambda f, name: ("run", f.spiking, "-i", f.few, "-T", "1", "-o", name),
    "demo": lambda f, name: ("demo", "-o", name),
}

every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


@every_write
class TestEveryVerb:
    def test_folder_missing(self, write, files, refused):
        refused(*write(files, "gone/result"), says=("gone/result", "No such file"))

    def test_is_a_folder(self, write, files, refused, folder):
        (folder / "taken").mkdir()
        refused(*write(files, "taken"), says=("taken", "is a folder"))

    @pytest.mark.parametrize("name", ["", ".", "new/", ".."])
    def test_is_no_file_name(self, write, files, refused, name):
        refused(*write(files, name), says=("is a folder",))

    def test_below_a_file(self, write, files, refused, folder):
        (folder / "file").write_text("x")
        refused(*write(files, "file/result"), says=("file/result", "Not a directory"))

    def test_name_too_long(self, write, files, refused):
        refused(*write(files, "x" * 300), says=("too long",))

    @pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
    def test_full_device(self, write, files, refused):
        refused(*write(files, "/dev/full"), says=("/dev/full", "No space left", "room"))
        assert Path("/dev/full").is_char_device()

    def test_full_disk(self, write, files, refused, monkeypatch):
        """The disk fills up while the file is written."""

        class Full(io.FileIO):
            def write(self, data):
                super().write(data[:100])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(writing.os, "fdopen", Full)
        refused(*write(files, "out"), says=("out", "No space left", "room"))

    def test_folder_not_writable(self, write, files, refused, monkeypatch, folder):
        """As another user would see it."""
        (folder / "theirs").mkdir()
        monkeypatch.setattr(writing.os, "access", lambda *_: False)
        refused(*write(files, "theirs/result"), says=("theirs/result", "Permission denied"))

    def test_folder_not_writable_for_nobody(self, write, files, refused, as_nobody, folder):
        (folder / "theirs").mkdir(mode=0o500)
        refused(*write(files, "theirs/result"), says=("theirs/result", "Permission denied"))

    def test_interrupted_while_writing(self, write, files, invoke, monkeypatch, folder):
        def interrupt(*_):
            raise KeyboardInterrupt

        (folder / "out").write_text("of an earlier run")
        monkeypatch.setattr(writing.Path, "replace", interrupt)
        answer = invoke(*write(files, "out"))
        assert answer.code == 130
        assert answer.err.split() == ["error:", "interrupted"]
        assert [p.name for p in folder.iterdir()] == ["out"]
        assert (folder / "out").read_text() == "of an earlier run"

    def test_written_whole(self, write, files, invoke, folder):
        """None of the above would fail if nothing were ever written."""
        (folder / "out").write_text("of an earlier run")
        assert invoke(*write(files, "out")).code == 0
        assert (folder / "out").stat().st_size > 400
        assert [p.name for p in folder.iterdir()] == ["out"]


@pytest.mark.parametrize("write", [WRITES["convert"], WRITES["run"]], ids=["convert", "run"])
def test_refused_before_the_work(write, files, refused, monkeypatch):
    """Nobody waits for hours to hear that a folder is missing."""

    def work(*_, **__):
        raise AssertionError("worked first")

    monkeypatch.setattr("onnx2snn.api.convert", work)
    monkeypatch.setattr("onnx2snn_runtime.SpikingSession.run", work)
    refused(*write(files, "gone/result"), says=("gone/result",))


def test_the_source_is_not_overwritten(files, refused, folder):
    (folder / "net.onnx").write_bytes(files.float.read_bytes())
    (folder / "link.onnx").symlink_to("net.onnx")
    for name in ("net.onnx", "./net.onnx", "link.onnx"):
        refused("convert", "net.onnx", "-o", name, says=(name,), code=2)
        refused("convert", "net.onnx", "--dry-run", "--save-plan", name, code=2)


def test_the_data_are_not_overwritten(files, refused, folder):
    (folder / "data.npz").write_bytes(files.calibration.read_bytes())
    data = ("--calibration-data", "data.npz")
    refused("convert", files.float, *data, "-o", "data.npz", says=("data.npz",), code=2)
    refused("run", files.spiking, "-i", "data.npz", "-o", "data.npz", says=("data.npz",), code=2)


def test_a_failed_model_leaves_no_plan(files, refused, folder):
    """Both files or none, as far as can be known before."""
    refused("convert", files.float, "--save-plan", "plan.json", "-o", "gone/net.onnx")


def test_any_device_takes_it(files, invoke):
    assert invoke("convert", files.float, "-o", os.devnull).code == 0
    assert Path(os.devnull).is_char_device()


def test_a_link_stays_a_link(files, invoke, folder):
    (folder / "link.onnx").symlink_to("real.onnx")
    assert invoke("convert", files.float, "-o", "link.onnx").code == 0
    assert (folder / "link.onnx").is_symlink()
    assert (folder / "real.onnx").stat().st_size > 1000


def test_the_longest_name(files, invoke, folder):
    name = "x" * 250 + ".onnx"
    assert invoke("convert", files.float, "-o", name).code == 0
    assert [p.name for p in folder.iterdir()] == [name]


def test_permissions_are_the_user_s(files, invoke, folder):
    old = os.umask(0o027)
    try:
        assert invoke("convert", files.float, "-o", "net.onnx").code == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((folder / "net.onnx").stat().st_mode) == 0o640
