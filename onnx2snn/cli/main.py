"""The command ``onnx2snn``: collects the verbs and turns errors into one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click
import onnxruntime

from onnx2snn.cli.output import error_line
from onnx2snn.emit.assemble import tool_version
from onnx2snn.errors import ConfigError, Onnx2SnnError

VERBS = ("convert", "inspect", "recipes", "run", "evaluate", "verify", "bench", "demo")

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = """\b
Exit codes: 0 done, 1 failed on a file or its content, 2 wrong command line,
3 a comparison found a difference, 130 interrupted."""
#: onnxruntime prints nothing by itself: what goes wrong comes as an exception.
ORT_FATAL_ONLY = 4


class _Verbs(click.Group):
    """Imports a verb's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"onnx2snn.cli.{cmd_name}").command
        return command


@click.group(
    cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES
)
@click.version_option(tool_version(), prog_name="onnx2snn")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, to standard error.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def cli(verbose: bool, debug: bool) -> None:
    """Turn trained neural networks in ONNX files into spiking neural networks."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    args = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what a terminal cannot show shall not stop us
            stream.reconfigure(errors="backslashreplace")
    onnxruntime.set_default_logger_severity(ORT_FATAL_ONLY)
    sys.exit(_run(args, debug="--debug" in args))


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        code = cli.main(args=arguments, prog_name="onnx2snn", standalone_mode=False)
    except BaseException as error:
        if debug and not isinstance(error, (click.ClickException, click.Abort)):
            raise
        return _explain(error)
    return code if isinstance(code, int) else DONE


def _explain(error: BaseException) -> int:
    """Print what went wrong in one line; gives the exit code."""
    code = FAILED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    if isinstance(error, BrokenPipeError):
        # Nobody reads any more; the interpreter must not try to flush either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    if isinstance(error, click.ClickException):
        text, code = error.format_message(), USAGE
    elif isinstance(error, (click.Abort, KeyboardInterrupt)):
        text, code = "; ".join(["interrupted", *map(str, error.args)]), INTERRUPTED
    elif isinstance(error, Onnx2SnnError):
        text, code = str(error), USAGE if isinstance(error, ConfigError) else FAILED
    elif isinstance(error, OSError):
        text = str(error)  # of standard output: all files have errors of their own
    elif isinstance(error, MemoryError):
        text = "out of memory; use a smaller model, T or batch size"
    elif isinstance(error, Exception):
        text = f"{type(error).__name__}: {error}; a defect of onnx2snn, --debug shows where"
    else:
        raise error
    error_line(" ".join(text.split()))
    return code
