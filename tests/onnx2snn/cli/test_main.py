"""The command as a whole: help, version, exit codes, errors of every kind."""

import json

import click
import pytest

from onnx2snn import errors
from onnx2snn.cli.main import VERBS, cli
from onnx2snn.emit.assemble import tool_version


def test_version(invoke):
    answer = invoke("--version")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.strip().endswith(tool_version())


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(invoke, flag):
    answer = invoke(flag)
    assert (answer.code, answer.err) == (0, "")
    for verb in VERBS:
        assert verb in answer.out
    for code in ("0 done", "1 failed", "2 wrong", "130 interrupted"):
        assert code in answer.out
    assert "\\b" not in answer.out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_mentions_every_option(invoke, verb):
    answer = invoke(verb, "--help")
    assert (answer.code, answer.err) == (0, "")
    command = cli.get_command(click.Context(cli), verb)
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert options
    for option in options:
        for name in option.opts:
            assert name in answer.out
        assert option.help, f"{option.name} is not explained"
    assert command.help
    assert "\\b" not in answer.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers_in_json(verb):
    command = cli.get_command(click.Context(cli), verb)
    assert "--json" in [name for p in command.params for name in p.opts]


@pytest.fixture
def failing(monkeypatch, invoke, files):
    """A call of inspect whose work raises a given error."""

    def fail(error, *options):
        def work(*_, **__):
            raise error

        monkeypatch.setattr("onnx2snn.api.inspect", work)
        return invoke(*options, "inspect", files.float)

    return fail


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.Onnx2SnnError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_ours(kind, failing):
    error = kind("is broken\nin two lines", file="net.onnx", node="'n'", remedy="mend it")
    answer = failing(error)
    assert answer.code == (2 if kind is errors.ConfigError else 1)
    assert answer.out == ""
    assert answer.err == "error: net.onnx: node 'n': is broken in two lines; mend it\n"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (KeyError("x"), 1, "a defect of onnx2snn, --debug shows where"),
        (RecursionError("deep"), 1, "a defect of onnx2snn"),
    ],
)
def test_other_errors(error, code, says, failing):
    answer = failing(error)
    assert answer.code == code
    lines = answer.err.split("\n")
    assert [line for line in lines if line] == [lines[-2]]
    assert lines[-2].startswith("error: ")
    assert says in lines[-2]


def test_debug_shows_where(failing):
    with pytest.raises(KeyError):
        failing(KeyError("x"), "--debug")
    with pytest.raises(errors.ModelFileError):
        failing(errors.ModelFileError("x"), "--debug")


def test_names_are_no_markup(failing):
    text = "a:x:b [bold]c[/bold] [red] \N{GREEK SMALL LETTER THETA}"
    assert failing(errors.ModelFileError(text)).err == f"error: {text}\n"


def test_long_lines_are_not_broken(failing):
    assert len(failing(errors.ModelFileError("word " * 200)).err.splitlines()) == 1


def test_names_in_tables_are_no_markup(invoke, tiny, folder):
    model = tiny([("Relu", ["x"], ["y"], {})], x=("N", 3))
    model.graph.node[0].name = "[bold]:x:[/bold]"
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    assert "[bold]:x:[/bold]" in invoke("inspect", "net.onnx").out
    assert "[bold]:x:[/bold]" in invoke("convert", "net.onnx").out
    content = json.loads(invoke("inspect", "net.onnx", "--json").out)
    assert content["nodes"][0]["name"] == "[bold]:x:[/bold]"
