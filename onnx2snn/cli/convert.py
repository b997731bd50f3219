"""``onnx2snn convert``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np

from onnx2snn import api
from onnx2snn.checkpoint import Checkpoint
from onnx2snn.cli.options import (
    FILE,
    Whole,
    check_output,
    given,
    json_option,
    make_preprocessing,
    preprocessing_options,
    sampling_options,
)
from onnx2snn.cli.output import (
    diagnostics_json,
    print_diagnostics,
    print_json,
    print_table,
    progress_bar,
    say,
)
from onnx2snn.cli.stages import stage_options
from onnx2snn.errors import PlanError, naming
from onnx2snn.files import write_bytes, write_text
from onnx2snn.plan import ActivationSite, ConversionConfig, ConversionPlan, NeuronPlan

#: What a saved plan has settled.
PLANNED = (
    *(f.name for f in fields(ConversionConfig)),
    *("calibration_data", "layout", "scale", "mean", "std"),
)


@click.command("convert")
@click.argument("model", type=FILE)
@click.option(
    "-T",
    "--timesteps",
    type=Whole(1),
    default=None,
    help="Length of the simulation window.  [default: 8; exact recipes: what is guaranteed]",
)
@click.option("-o", "--output", type=FILE, help="Spiking file.  [default: MODEL.snn.onnx]")
@stage_options
@click.option(
    "--keep-analog", multiple=True, metavar="NODE", help="Keep a node as it is; may be repeated."
)
@click.option("--calibration-data", type=FILE, help="An .npz with training samples.")
@preprocessing_options
@sampling_options(256)
@click.option(
    "--input-range",
    type=float,
    nargs=2,
    help="Smallest and largest input, for synthetic calibration and encodings.",
)
@click.option("--strict", is_flag=True, help="Turn warnings into errors.")
@click.option("--plan", "plan_file", type=FILE, help="Emit a saved plan.")
@click.option("--save-plan", type=FILE, help="Write the plan as JSON.")
@click.option(
    "--checkpoint",
    "checkpoint_file",
    type=FILE,
    help="Keep there what calibration finds; if it was interrupted, go on from it.",
)
@click.option("--save-quantized", type=FILE, help="Write the network that --quantize makes.")
@click.option("--dry-run", is_flag=True, help="Write no spiking file.")
@json_option
def command(
    model: str,
    output: str | None,
    plan_file: str | None,
    save_plan: str | None,
    checkpoint_file: str | None,
    save_quantized: str | None,
    dry_run: bool,
    as_json: bool,
    layout: str,
    scale: tuple[float, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    **options: Any,
) -> None:
    """Convert the network MODEL into a spiking network.

    Thresholds come from calibration data if there are any (mmse), else from the ranges of the
    model's quantizers (quantizer-normal), else from its batch norm (gaussian), else from synthetic
    inputs, with a warning. They are the best for the T given, and the file is then for that T
    only; with --threshold percentile, max or quantizer T can be changed at run time.
    """
    _check_together(plan_file, options["calibration_data"])
    preprocessing = make_preprocessing(layout, scale, mean, std)
    sources = (model, options["calibration_data"])
    target = default_output(model) if output is None else Path(output)
    check_output(None if dry_run else output, *sources, plan_file)
    check_output(save_plan, *sources)
    check_output(save_quantized, *sources)
    check_output(checkpoint_file, *sources, plan_file, str(target), save_plan, save_quantized)
    if save_quantized is not None and not options["quantize"]:
        raise click.UsageError("--save-quantized: of use with --quantize only")
    plan = None if plan_file is None else read_plan(plan_file)
    remedy = "correct it there, or save the plan again"
    with _kept_in(checkpoint_file) as options["checkpoint"]:
        with (
            progress_bar(quiet=as_json) as progress,
            naming(plan_file, PlanError, remedy=remedy),
        ):
            result = api.convert(
                model, preprocessing=preprocessing, plan=plan, progress=progress, **options
            )
        if save_plan is not None:
            write_text(save_plan, result.plan.to_json())
        if save_quantized is not None and result.quantized is not None:
            write_bytes(save_quantized, result.quantized.SerializeToString())
        if not dry_run:
            result.save(target)
    if as_json:
        print_json("convert", _content(result, None if dry_run else target))
        return
    print_plan(result.plan)
    print_diagnostics(result.diagnostics)
    if not dry_run:
        say(f"wrote {target}")


@contextmanager
def _kept_in(file: str | None) -> Iterator[Checkpoint | None]:
    """A checkpoint, if one is wanted, until all files are written.

    Raises:
        Abort: the user interrupts; says how to go on.
    """
    if file is None:
        yield None
        return
    try:
        with Checkpoint(file) as checkpoint:
            yield checkpoint
    except KeyboardInterrupt as error:
        if not Path(file).exists():
            raise
        raise click.Abort(f"the same command goes on from {file}") from error


def default_output(model: str) -> Path:
    """model.onnx becomes model.snn.onnx beside it."""
    path = Path(model)
    return path.parent / f"{path.stem}.snn.onnx"


def _check_together(plan_file: str | None, calibration_data: str | None) -> None:
    """Refuse options that would be ignored.

    Raises:
        UsageError: there are some.
    """
    of_data = given("layout", "scale", "mean", "std", "samples")
    ignored = given(*PLANNED) if plan_file is not None else []
    if ignored:
        raise click.UsageError(f"{', '.join(ignored)}: a plan brings its own, change it there")
    if of_data and calibration_data is None:
        raise click.UsageError(f"{', '.join(of_data)}: of use with --calibration-data only")
    if calibration_data is not None and given("input_range") and not given("encoding"):
        raise click.UsageError(
            "--input-range: of no use with --calibration-data, without --encoding"
        )


def read_plan(path: str) -> ConversionPlan:
    """The plan of a JSON file.

    Raises:
        PlanError: it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError("is not text", file=path, remedy="save one with --save-plan") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = getattr(error, "strerror", None) or error
        raise PlanError(f"cannot be read ({reason})", file=path, remedy="check the path") from error
    with naming(path, PlanError):
        return ConversionPlan.from_json(text)


def print_plan(plan: ConversionPlan) -> None:
    """The table of populations."""
    free = "only this T" if plan.timesteps_fixed else "T can be changed at run time"
    print_table(
        f"{len(plan.neurons)} populations, T = {plan.config.timesteps} ({free})",
        ["population", "kind", "neuron", "channels", "threshold", "v_init", "threshold from"],
        [_row(s, n) for s, n in zip(plan.sites, plan.neurons, strict=True)],
    )


def _row(site: ActivationSite, neuron: NeuronPlan) -> list[str]:
    return [
        site.name,
        site.kind,
        f"{neuron.neuron} ({neuron.reset})" if neuron.neuron == "if" else neuron.neuron,
        "?" if site.channels is None else str(site.channels),
        f"{site.levels} levels" if neuron.neuron == "staircase" else _span(neuron),
        neuron.provenance.get("v_init", neuron.provenance.get("emission", "")),
        _origin(neuron),
    ]


def _origin(neuron: NeuronPlan) -> str:
    """Where the thresholds are from, and what changed them since."""
    first = neuron.provenance.get("threshold", neuron.provenance.get("table", ""))
    return ", then ".join(filter(None, (first, neuron.provenance.get("tuning"))))


def _span(neuron: NeuronPlan) -> str:
    """The thresholds; those of channels that never fire say nothing."""
    if neuron.threshold is None:
        return ""
    values = neuron.threshold
    if neuron.amplitude is not None and neuron.amplitude.any():
        values, amplitudes = np.broadcast_arrays(values, neuron.amplitude)  # a plan may mix them
        values = values[amplitudes != 0]
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if low == high else f"{low:.3g} … {high:.3g}"


def _content(result: api.ConversionResult, target: Path | None) -> dict[str, Any]:
    plan = result.plan
    return {
        "source": result.source.file,
        "source_digest": plan.source_digest,
        "output": None if target is None else str(target),
        "timesteps": plan.config.timesteps,
        "timesteps_fixed": plan.timesteps_fixed,
        "populations": [
            {
                "name": s.name,
                "kind": s.kind,
                "neuron": n.neuron,
                "channels": s.channels,
                "threshold_min": None if n.threshold is None else float(n.threshold.min()),
                "threshold_max": None if n.threshold is None else float(n.threshold.max()),
                "provenance": dict(n.provenance),
            }
            for s, n in zip(plan.sites, plan.neurons, strict=True)
        ],
        "diagnostics": diagnostics_json(plan.diagnostics),
    }
