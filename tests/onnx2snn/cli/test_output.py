"""Tables, diagnostics and bars."""

import os
import pty
import subprocess
import sys

import pytest

from onnx2snn.cli import output
from onnx2snn.plan import Diagnostic


def test_table(capsys):
    output.print_table("title", ["name", "n"], [["first", "1"], ["a second one", "22"]])
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].strip() == "title"
    assert [line for line in lines if "second" in line] == ["│ a second one │ 22 │"]
    assert [line for line in lines if "first" in line] == ["│ first        │  1 │"]


def test_wide_tables_lose_nothing(capsys):
    name = "a/very/long/" + "x" * 200
    output.print_table("title", ["name", "n"], [[name, "1"]])
    out, _ = capsys.readouterr()
    assert name in "".join(line.strip("│ 1\n") for line in out.splitlines())


def diagnostic(code, severity, node):
    return Diagnostic(code, severity, node, "what", "why", "remedy")


def test_diagnostics(capsys):
    """Every warning and error; of infos of a kind the first, and how many more there are."""
    infos = [diagnostic("A", "info", f"'a{i}'") for i in range(5)]
    warnings = [diagnostic("B", "warning", f"'b{i}'") for i in range(3)]
    output.print_diagnostics([*infos, *warnings, diagnostic("C", "error", "")])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "info: 'a0': what; why; remedy",
        "  … and 4 more like it; --json lists all",
        *(f"warning: 'b{i}': what; why; remedy" for i in range(3)),
        "error: what; why; remedy",
    ]


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (0.0, "0.00"), (1.0, "100.00"), (0.98611, "98.61")]
)
def test_percent(share, text):
    assert output.percent(share) == text


def test_no_bar_for_what_is_quick(capsys):
    with output.progress_bar(quiet=False) as report:
        for i in range(10):
            report("work", i + 1, 10)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal():
    """Drawn on standard error, where a person looks; standard output stays clean."""
    code = """
import time
from onnx2snn.cli import output
output.PATIENCE = 0
with output.progress_bar(quiet=False) as report:
    for i in range(3):
        report("simulate", i + 1, 3)
        time.sleep(0.15)
"""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        out, _ = process.communicate(timeout=60)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert out == b""
    assert "simulate" in shown
    assert "3/3" in shown


def test_an_error_takes_the_bar_down(monkeypatch):
    monkeypatch.setattr(output, "PATIENCE", 0)

    def work():
        with output.progress_bar(quiet=False) as report:
            report("work", 1, 2)
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        work()
    with output.progress_bar(quiet=False) as report:  # another one can begin
        report("work", 1, 2)
