"""``convert --checkpoint``: what is kept when, and how a user learns to go on."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from onnx2snn.cli import convert as room
from onnx2snn.errors import OutputFileError
from onnx2snn.methods import layerwise

stages = layerwise._stages

#: Runs the command line, but waits in the fit of this number, and says so.
WAITING = """
import sys, time
from onnx2snn.cli import main
from onnx2snn.methods import layerwise

stages, fits = layerwise._stages, []

def waiting(work, config):
    fits.append(work)
    if len(fits) == {number}:
        print("waiting", flush=True)
        time.sleep(60)
    return stages(work, config)

layerwise._stages = waiting
main()
"""


@pytest.fixture
def command(files):
    """A conversion that calibrates layer by layer."""
    data = ("--calibration-data", files.calibration, "--samples", 40)
    return ("convert", files.float, *data, "-T", 4, "--recipe", "regression", "-o", "out.onnx")


class Fits:
    """Names of populations that are fitted; an error at the fit number ``stop``."""

    def __init__(self):
        self.names, self.stop, self.error = [], None, KeyboardInterrupt()

    def __call__(self, work, config):
        self.names.append(work.view.segment.name)
        if len(self.names) == self.stop:
            raise self.error
        return stages(work, config)


@pytest.fixture
def fits(monkeypatch):
    fits = Fits()
    monkeypatch.setattr(layerwise, "_stages", fits)
    return fits


@pytest.fixture
def kept(command, invoke, fits, folder):
    """A folder with the checkpoint of a run that was interrupted in its third fit."""
    fits.stop = 3
    answer = invoke(*command, "--checkpoint", "kept")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == "error: interrupted; the same command goes on from kept\n"
    fits.names, fits.stop = [], None
    return folder / "kept"


def test_goes_on(kept, command, invoke, fits, folder):
    resumed = invoke(*command, "--checkpoint", "kept")
    assert resumed.code == 0
    assert [p.name for p in folder.iterdir()] == ["out.onnx"]
    network, made = (folder / "out.onnx").read_bytes(), fits.names
    fits.names = []
    whole = invoke(*command)
    assert (folder / "out.onnx").read_bytes() == network
    assert resumed == whole
    assert made == fits.names[2:]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_a_process_that_is_stopped(how, command, invoke, folder):
    code = WAITING.format(number=3)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, command), "--checkpoint", "kept"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = process.stdout.readline()
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert begun == "waiting\n", err
    assert out == ""
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert err.split("\n")[-2] == "error: interrupted; the same command goes on from kept"
    else:
        assert process.returncode == -how
        assert err == ""
    assert [p.name for p in folder.iterdir()] == ["kept"]
    assert invoke(*command, "--checkpoint", "kept").code == 0
    resumed = (folder / "out.onnx").read_bytes()
    assert [p.name for p in folder.iterdir()] == ["out.onnx"]
    assert invoke(*command).code == 0
    assert (folder / "out.onnx").read_bytes() == resumed


def test_interrupted_before_anything_is_found(command, invoke, fits, folder):
    fits.stop = 1
    answer = invoke(*command, "--checkpoint", "kept")
    assert (answer.code, answer.err.split()) == (130, ["error:", "interrupted"])
    assert list(folder.iterdir()) == []


def test_nothing_is_kept_without_it(command, invoke, fits, folder):
    fits.stop = 3
    answer = invoke(*command)
    assert (answer.code, answer.err.split()) == (130, ["error:", "interrupted"])
    assert list(folder.iterdir()) == []


def test_errors_keep_it_too(command, invoke, fits, folder):
    fits.stop, fits.error = 3, MemoryError()
    answer = invoke(*command, "--checkpoint", "kept")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert [p.name for p in folder.iterdir()] == ["kept"]


def test_kept_until_the_network_is_written(command, invoke, fits, folder, monkeypatch):
    """A full disk costs no calibration."""

    def full(*_):
        raise OutputFileError("cannot be written", file="out.onnx", remedy="make room")

    with monkeypatch.context() as patch:
        patch.setattr(room.api.ConversionResult, "save", full)
        answer = invoke(*command, "--checkpoint", "kept")
    assert answer.err == "error: out.onnx: cannot be written; make room\n"
    assert [p.name for p in folder.iterdir()] == ["kept"]
    fits.names = []
    assert invoke(*command, "--checkpoint", "kept").code == 0
    assert fits.names == []
    assert [p.name for p in folder.iterdir()] == ["out.onnx"]


def test_strictness_is_no_other_calibration(tiny, invoke, fits, folder):
    """Who is refused for a warning may go on without ``--strict``."""
    rng = np.random.default_rng(0)
    np.savez("data.npz", x=rng.normal(0, 1, (40, 4)).astype(np.float32))
    weights = {f"w{i}": rng.normal(0, 1, (4, 4)).astype(np.float32) for i in range(2)}
    nodes = [
        ("Gemm", ["x", "w0"], ["a"], {}),
        ("Relu", ["a"], ["b"], {}),
        ("Sigmoid", ["b"], ["c"], {}),
        ("MatMul", ["c", "w1"], ["d"], {}),
        ("Clip", ["d", "low"], ["y"], {}),
    ]
    model = tiny(nodes, {**weights, "low": np.float32(0)}, y=("N", 4))
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    options = ("--calibration-data", "data.npz", "--recipe", "regression", "--checkpoint", "kept")
    answer = invoke("convert", "net.onnx", *options, "--strict")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert (folder / "kept").exists()
    assert fits.names
    fits.names = []
    assert invoke("convert", "net.onnx", *options).code == 0
    assert fits.names == []
    assert not (folder / "kept").exists()


class TestRefused:
    def test_other_options(self, kept, command, refused):
        says = ("kept", "another calibration, of which differ: timesteps;", "the same command")
        refused(*command, "--checkpoint", "kept", "-T", 5, says=says)

    def test_other_data(self, kept, command, files, refused, folder):
        with np.load(files.calibration) as archive:
            np.savez(folder / "other.npz", input=archive["input"] * 0.5)
        says = ("kept", "calibration data, name of the data")
        other = ("--calibration-data", "other.npz", "--checkpoint", "kept")
        refused(*command, *other, says=says)

    def test_damaged(self, kept, command, refused):
        kept.write_bytes(kept.read_bytes()[:-1])
        refused(*command, "--checkpoint", "kept", says=("kept", "is damaged; delete it"))

    def test_another_file(self, command, files, refused, folder):
        (folder / "mine").write_text("important")
        refused(*command, "--checkpoint", "mine", says=("mine: is no checkpoint",))

    @pytest.mark.parametrize("name", ["out.onnx", "./out.onnx", "plan.json"])
    def test_where_results_go(self, name, command, refused):
        saves = ("--save-plan", "plan.json", "--checkpoint", name)
        refused(*command, *saves, says=("would be overwritten",), code=2)

    def test_where_sources_are(self, command, files, refused):
        for path in (files.float, files.calibration):
            refused(*command, "--checkpoint", path, says=("would be overwritten",), code=2)

    def test_where_nothing_can_be_written(self, command, refused):
        refused(*command, "--checkpoint", "gone/kept", says=("gone/kept", "No such file"))

    @pytest.mark.parametrize(
        "options",
        [(), ("--threshold", "gaussian"), ("--recipe", "exact-radix")],
        ids=" ".join,
    )
    def test_where_nothing_is_calibrated(self, options, files, refused):
        says = ("checkpoint is of no use",)
        refused("convert", files.int8, *options, "--checkpoint", "kept", says=says, code=2)

    def test_with_statistics_alone(self, command, refused):
        stages = ("--recipe", "mmse", "--checkpoint", "kept")
        refused(*command, *stages, says=("checkpoint is of no use",), code=2)

    def test_with_a_plan(self, files, invoke, refused, folder):
        assert invoke("convert", files.int8, "--dry-run", "--save-plan", "plan.json").code == 0
        plan = ("--plan", "plan.json", "--checkpoint", "kept")
        refused("convert", files.int8, *plan, says=("checkpoint is of no use",), code=2)
