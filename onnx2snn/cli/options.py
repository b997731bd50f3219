"""Options that several verbs share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click
from click.core import ParameterSource

from onnx2snn.calibration import Preprocessing
from onnx2snn.calibration.dataset import parse_numbers
from onnx2snn.errors import ConfigError
from onnx2snn.files import check_target

F = TypeVar("F", bound=Callable[..., Any])


BACKENDS = ("native", "stock", "reference")

#: A file's name; what is wrong with the file, our own errors tell.
FILE = click.Path(readable=False)


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Comma-separated numbers; fractions such as 1/255 are understood."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """The numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return parse_numbers(str(value))
        except ConfigError as error:
            self.fail(error.what, param, ctx)


class Whole(click.ParamType):  # type: ignore[type-arg]
    """A whole number of at least ``least``; what no machine can hold is refused."""

    name = "integer"

    def __init__(self, least: int, most: int = 2**31 - 1) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"'{value}' is not a whole number", param, ctx)
        if not self.least <= number <= self.most:
            limit = f"at least {self.least}" if number < self.least else f"at most {self.most}"
            self.fail(f"{number} is not {limit}", param, ctx)
        return number


class Steps(click.ParamType):  # type: ignore[type-arg]
    """Comma-separated numbers of time steps, each at least 1."""

    name = "steps"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers of time steps."""
        if isinstance(value, tuple):
            return value
        steps = tuple(
            Whole(1).convert(part, param, ctx) for part in str(value).replace(",", " ").split()
        )
        if not steps:
            self.fail("no number of time steps is given", param, ctx)
        return steps


class Bytes(click.ParamType):  # type: ignore[type-arg]
    """An amount of memory, such as 512MiB or 2GB; without a unit, bytes."""

    name = "size"
    units: ClassVar[dict[str, int]] = {
        "": 1,
        "B": 1,
        **{f"{letter}B": 1000 ** (i + 1) for i, letter in enumerate("kMGT")},
        **{f"{letter}iB": 1024 ** (i + 1) for i, letter in enumerate("KMGT")},
    }

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(value))
        by_lower_case = {unit.lower(): size for unit, size in self.units.items()}
        if found is None or found[2].lower() not in by_lower_case:
            self.fail(f"'{value}' is no amount of memory such as 512MiB or 2GB", param, ctx)
        return int(float(found[1]) * by_lower_case[found[2].lower()])


def _apply(function: F, options: list[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def preprocessing_options(function: F) -> F:
    """--layout, --scale, --mean, --std."""
    return _apply(
        function,
        [
            click.option(
                "--layout",
                type=click.Choice(["auto", "NHWC", "NCHW"]),
                default="auto",
                show_default=True,
                help="Axes of the images; auto transposes if only that fits the model.",
            ),
            click.option(
                "--scale",
                type=Numbers(),
                default=(1.0,),
                help="Factor, such as 1/255.  [default: 1]",
            ),
            click.option(
                "--mean", type=Numbers(), default=(), help="Subtracted after scaling, per channel."
            ),
            click.option("--std", type=Numbers(), default=(), help="Divided by, per channel."),
        ],
    )


def sampling_options(default: int | None) -> Callable[[F], F]:
    """--samples and --seed."""

    def decorate(function: F) -> F:
        return _apply(
            function,
            [
                click.option(
                    "--samples",
                    type=Whole(1),
                    default=default,
                    show_default=default is not None,
                    help="Use at most so many samples, drawn at random.",
                ),
                click.option(
                    "--seed", type=Whole(0), default=0, show_default=True, help="Of the draw."
                ),
            ],
        )

    return decorate


def backend_options(function: F) -> F:
    """--backend, and :func:`resource_options` with as many threads as onnxruntime likes."""
    return _apply(
        function,
        [
            click.option(
                "--backend",
                type=click.Choice(["auto", *BACKENDS]),
                default="auto",
                show_default=True,
                help="native: compiled kernels in onnxruntime; stock: onnxruntime alone; "
                "reference: NumPy, slow; auto: native, or stock where there are no kernels.",
            ),
            resource_options(threads=0),
        ],
    )


def resource_options(*, threads: int) -> Callable[[F], F]:
    """--provider, --threads and --memory."""

    def decorate(function: F) -> F:
        return _apply(
            function,
            [
                click.option(
                    "--provider",
                    "providers",
                    multiple=True,
                    default=("CPUExecutionProvider",),
                    help="onnxruntime execution provider; may be repeated.",
                ),
                click.option(
                    "--threads",
                    type=Whole(0, 1024),
                    default=threads,
                    show_default=threads > 0,
                    help="Threads of one operator; 0 leaves it to onnxruntime.",
                ),
                click.option(
                    "--memory",
                    type=Bytes(),
                    default="1GiB",
                    show_default=True,
                    help="For the simulation, beside the loaded model: it is cut in samples and "
                    "time.",
                ),
            ],
        )

    return decorate


def json_option(function: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(function)


def simulation_options(function: F) -> F:
    """What the verbs take that simulate samples of a file: they end with --json."""
    return _apply(
        function, [preprocessing_options, sampling_options(None), backend_options, json_option]
    )


def make_preprocessing(
    layout: str, scale: tuple[float, ...], mean: tuple[float, ...], std: tuple[float, ...]
) -> Preprocessing:
    """The preprocessing that the options describe."""
    if len(scale) != 1:
        raise click.UsageError("--scale takes one number")
    return Preprocessing(layout=layout, scale=scale[0], mean=mean, std=std)


def given(*names: str) -> list[str]:
    """Those of the named parameters that stand on the command line, as users write them."""
    context = click.get_current_context()
    return [
        max(p.opts, key=len)
        for p in context.command.params
        if p.name in names and context.get_parameter_source(p.name) is ParameterSource.COMMANDLINE
    ]


def check_output(output: str | None, *sources: str | None) -> None:
    """Check, before long work, that a result can be written and replaces none of its sources.

    Raises:
        OutputFileError: it cannot be written.
    """
    if output is None:
        return
    check_target(output)
    target = Path(output)
    for source in (Path(s) for s in sources if s is not None):
        same = target.absolute() == source.absolute()
        if same or (target.exists() and source.exists() and target.samefile(source)):
            raise click.UsageError(f"{output} would be overwritten; give another name")
