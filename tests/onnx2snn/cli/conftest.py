"""Calls of the command line inside this process, and the files that the calls need."""

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.cli import main

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Files:
    """The reference networks and data of the repository, and spiking files made from them."""

    float: Path = ROOT / "models" / "digits_cnn_float.onnx"
    int8: Path = ROOT / "onnx2snn" / "demo_data" / "digits_cnn_int8.onnx"
    mnist: Path = ROOT / "models" / "mnist_cnn_float.onnx"
    #: "input", float32 [200, 1, 8, 8] in 0 … 1.
    calibration: Path = ROOT / "models" / "digits_calibration.npz"
    #: "images" and "labels", pixels in 0 … 16.
    heldout: Path = ROOT / "onnx2snn" / "demo_data" / "digits_heldout.npz"
    #: T = 8, free.
    spiking: Path | None = None
    #: T = 8, and no other.
    fixed: Path | None = None
    #: Four samples named "input", without labels.
    few: Path | None = None


@dataclass(frozen=True)
class Answer:
    """What a call left behind."""

    code: object
    out: str
    err: str


def call(*arguments):
    """Run the command line with these arguments; never raises what it should have explained."""
    out, err = io.StringIO(), io.StringIO()
    code = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def invoke():
    """The command line, in this process: invoke("inspect", path) -> code, out, err."""
    return call


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    plain = Files()
    spiking, fixed, few = folder / "free.snn.onnx", folder / "fixed.snn.onnx", folder / "few.npz"
    assert call("convert", plain.int8, "--threshold", "quantizer", "-o", spiking).code == 0
    assert call("convert", plain.float, "--threshold", "gaussian", "-o", fixed).code == 0
    with np.load(plain.calibration) as archive:
        np.savez(few, input=archive["input"][:4])
    return Files(spiking=spiking, fixed=fixed, few=few)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(folder):
    """Everything in a folder, to see whether anything changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = path.read_bytes() if path.is_file() else "link" * path.is_symlink()
    return found


def one_line(answer, *says, remedy=True):
    """Assert that a call failed as a call should: one line, nothing else."""
    assert answer.out == ""
    lines = answer.err.splitlines()
    assert len(lines) == 1, answer.err
    line = lines[0]
    assert line.startswith("error: ")
    assert "a defect of onnx2snn" not in line
    assert "Traceback" not in line
    for text in says:
        assert str(text) in line
    if remedy:
        assert "; " in line, f"no remedy in {line!r}"
    return line


@pytest.fixture
def refused(folder):
    """Assert that a call fails with one line and an exit code and leaves every file alone.

    ``says`` are texts that the line must hold: the file, the node. An output file "out" exists
    already and must not be touched.
    """

    def check(*arguments, says=(), code=1, remedy=True):
        (folder / "out").write_text("of an earlier run")
        before = content(folder)
        answer = call(*arguments)
        assert (answer.code, answer.err != "") == (code, True), answer
        line = one_line(answer, *says, remedy=remedy)
        assert content(folder) == before
        return line

    return check


@pytest.fixture(scope="session")
def tiny():
    """A maker of one-layer networks: x → nodes → y, as a ModelProto."""

    def make(nodes, weights=(), *, x=("N", 4), y=("N", 3), dtype=TensorProto.FLOAT, opset=17):
        named = [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in dict(weights).items()
        ]
        graph = helper.make_graph(
            [helper.make_node(op, i, o, name=f"the {op}", **a) for op, i, o, a in nodes],
            "tiny",
            [helper.make_tensor_value_info("x", dtype, x)],
            [helper.make_tensor_value_info("y", dtype, y)],
            named,
        )
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    return make


@pytest.fixture
def as_nobody():
    """For tests of permissions, which do not hold for root."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
