"""What only a real process can show: signals, pipes, full devices, exit codes of the shell."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

COMMAND = [sys.executable, "-c", "from onnx2snn.cli import main; main()"]

#: Runs the command line, but says when the work has begun, and lets it take its time.
SLOW = """
import sys, time
from onnx2snn.cli import main
import {module}

def slow(*_, **__):
    print("begun", flush=True)
    time.sleep(60)

{module}.{function} = slow
main()
"""


def start(*arguments, command=COMMAND, **options):
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_exit_codes(files, folder):
    assert finish(start("inspect", files.float))[0] == 0
    code, out, err = finish(start("inspect", "gone.onnx"))
    assert (code, out) == (1, "")
    assert err == "error: gone.onnx: cannot be read (No such file or directory); check the path\n"
    assert finish(start("inspect", "--frobnicate"))[0] == 2


def test_libraries_say_nothing_by_themselves(tiny, folder):
    """onnxruntime writes to the terminal behind Python's back, if it is let."""
    nodes = [
        ("ConstantOfShape", ["shape"], ["w"], {}),
        ("Gemm", ["x", "w"], ["h"], {}),
        ("Relu", ["h"], ["y"], {}),
    ]
    model = tiny(nodes, {"shape": np.array([4, 10**12])}, y=("N", None))
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    code, out, err = finish(start("convert", "net.onnx"))
    assert (code, out) == (1, "")
    assert err.startswith("error: net.onnx: ")
    assert len(err.splitlines()) == 1


def test_interrupted_in_the_middle_of_a_long_run(files, folder):
    """A real simulation of many steps, stopped by the keyboard."""
    (folder / "out.npz").write_text("of an earlier run")
    begun = """
import sys
from onnx2snn.cli import main
from onnx2snn_runtime import SpikingSession
run = SpikingSession.run

def told(*a, **k):
    print("begun", flush=True)
    return run(*a, **k)

SpikingSession.run = told
main()
"""
    process = start(
        *("run", files.spiking, "-i", files.calibration, "-T", "4000", "-o", "out.npz"),
        command=[sys.executable, "-c", begun],
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    assert err.split() == ["error:", "interrupted"]
    assert [p.name for p in folder.iterdir()] == ["out.npz"]
    assert (folder / "out.npz").read_text() == "of an earlier run"


@pytest.mark.parametrize(
    ("verb", "module", "function"),
    [
        ("convert", "onnx2snn.steps.data", "collect_statistics"),
        ("evaluate", "onnx2snn_runtime.session", "SpikingSession.observe"),
        ("inspect", "onnx2snn.steps.survey", "find_sites"),
    ],
)
def test_interrupted(verb, module, function, files, folder):
    options = {
        "convert": (files.float, "--calibration-data", files.calibration, "-o", "out.onnx"),
        "evaluate": (files.spiking, "--data", files.few),
        "inspect": (files.float,),
    }[verb]
    slow = SLOW.format(module=module, function=function)
    process = start(verb, *options, command=[sys.executable, "-c", slow])
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    assert err.split() == ["error:", "interrupted"]
    assert list(folder.iterdir()) == []


def test_a_reader_that_goes_away(files):
    """As in ``onnx2snn inspect … | head -1``: no complaint."""
    process = start("inspect", files.float)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) in {0, 1}


def test_a_reader_that_goes_away_after_a_line(files):
    pipe = f'"{sys.executable}" -c "from onnx2snn.cli import main; main()" inspect "{files.float}"'
    done = subprocess.run(
        ["/bin/sh", "-c", f"{pipe} --json | head -1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_an_answer_that_cannot_be_written(files):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, "inspect", str(files.float)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr.splitlines()[0]
    assert "defect" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_takes_only_so_much(files, folder):
    """A real limit of the operating system, reached in the middle of the file."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    (folder / "out.onnx").write_text("of an earlier run")
    process = start("convert", files.int8, "-o", "out.onnx", preexec_fn=limit)
    code, out, err = finish(process)
    assert (code, out) == (1, "")
    assert err.startswith("error: out.onnx: cannot be written (File too large); ")
    assert [p.name for p in folder.iterdir()] == ["out.onnx"]
    assert (folder / "out.onnx").read_text() == "of an earlier run"


def test_a_terminal_that_knows_ascii_only(files):
    """A dash that cannot be shown is no reason to fail."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    data = ("--data", files.few, "-T", "1")  # no labels: dashes
    code, out, err = finish(start("evaluate", files.spiking, *data, env=environment))
    assert code == 0, err
    assert out.isascii()
    assert "accuracy" in out


def test_no_control_codes_where_nobody_looks(files):
    """No colours, no bars, in files and pipes; not even where the work takes longer."""
    patient = """
import onnx2snn.cli.output as output
from onnx2snn.cli import main
output.PATIENCE = 0
main()
"""
    command = [sys.executable, "-c", patient]
    environment = {
        k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "TTY_COMPATIBLE"}
    }
    for arguments in (
        ("run", files.spiking, "-i", files.calibration, "-T", "2"),
        ("convert", files.float, "--calibration-data", files.calibration, "--dry-run"),
    ):
        code, out, err = finish(start(*arguments, command=command, env=environment))
        assert code == 0
        assert "\x1b" not in out + err
        assert "\r" not in out + err
        assert all(line.startswith("info: ") for line in err.splitlines())
