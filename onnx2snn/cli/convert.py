"""``onnx2snn convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnx2snn import api
from onnx2snn.cli.options import (
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
from onnx2snn.errors import PlanError
from onnx2snn.files import write_text
from onnx2snn.methods import POTENTIALS, THRESHOLDS
from onnx2snn.plan import ActivationSite, ConversionPlan, NeuronPlan


@click.command("convert")
@click.argument("model", type=click.Path())
@click.option(
    "-T",
    "--timesteps",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Length of the simulation window.",
)
@click.option("-o", "--output", type=click.Path(), help="Spiking file.  [default: MODEL.snn.onnx]")
@click.option(
    "--threshold",
    type=click.Choice(["auto", *THRESHOLDS.names()]),
    default="auto",
    show_default=True,
    help="How thresholds are chosen.",
)
@click.option(
    "--granularity",
    type=click.Choice(api.CHOICES["granularity"]),
    default="channel",
    show_default=True,
    help="One threshold for each.",
)
@click.option(
    "--percentile",
    type=click.FloatRange(0, 100, min_open=True),
    default=99.9,
    show_default=True,
    help="For --threshold percentile.",
)
@click.option(
    "--v-init",
    type=click.Choice(POTENTIALS.names()),
    default="half",
    show_default=True,
    help="Initial membrane potential.",
)
@click.option(
    "--reset",
    type=click.Choice(api.CHOICES["reset"]),
    default="subtract",
    show_default=True,
    help="What a spike does to the potential.",
)
@click.option(
    "--avgpool",
    type=click.Choice(api.CHOICES["avgpool"]),
    default="spiking",
    show_default=True,
    help="Average pools with neurons of their own, or kept as synapses.",
)
@click.option(
    "--keep-analog", multiple=True, metavar="NODE", help="Keep a node as it is; may be repeated."
)
@click.option("--calibration-data", type=click.Path(), help="An .npz with training samples.")
@preprocessing_options
@sampling_options(256)
@click.option(
    "--input-range",
    type=float,
    nargs=2,
    help="Smallest and largest input, for synthetic calibration.",
)
@click.option("--strict", is_flag=True, help="Turn warnings into errors.")
@click.option("--plan", "plan_file", type=click.Path(), help="Emit a saved plan.")
@click.option("--save-plan", type=click.Path(), help="Write the plan as JSON.")
@click.option("--dry-run", is_flag=True, help="Write no spiking file.")
@json_option
def command(
    model: str,
    output: str | None,
    plan_file: str | None,
    save_plan: str | None,
    dry_run: bool,
    as_json: bool,
    layout: str,
    scale: tuple[float, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    **options: Any,
) -> None:
    """Convert the network MODEL into a spiking network.

    Without calibration data, thresholds come from the model's quantizers, else from its batch
    norm, else from synthetic inputs, with a warning.
    """
    preprocessing = make_preprocessing(layout, scale, mean, std)
    plan = None if plan_file is None else read_plan(plan_file)
    with progress_bar(quiet=as_json) as progress:
        result = api.convert(
            model, preprocessing=preprocessing, plan=plan, progress=progress, **options
        )
    target = Path(output) if output else default_output(model)
    if save_plan:
        write_text(save_plan, result.plan.to_json())
    if not dry_run:
        result.save(target)
    if as_json:
        print_json("convert", _content(result, None if dry_run else target))
        return
    print_plan(result.plan)
    print_diagnostics(result.diagnostics)
    if not dry_run:
        say(f"wrote {target}")


def default_output(model: str) -> Path:
    """model.onnx becomes model.snn.onnx beside it."""
    path = Path(model)
    return path.with_name(f"{path.stem}.snn.onnx")


def read_plan(path: str) -> ConversionPlan:
    """The plan of a JSON file.

    Raises:
        PlanError: it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise PlanError(f"cannot be read ({reason})", file=path) from error
    try:
        return ConversionPlan.from_json(text)
    except PlanError as error:
        raise PlanError(error.what, file=path, remedy=error.remedy) from error


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
        _span(neuron.threshold),
        neuron.provenance.get("v_init", ""),
        neuron.provenance.get("threshold", ""),
    ]


def _span(values: Any) -> str:
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
                "threshold_min": float(n.threshold.min()),
                "threshold_max": float(n.threshold.max()),
                "provenance": dict(n.provenance),
            }
            for s, n in zip(plan.sites, plan.neurons, strict=True)
        ],
        "diagnostics": diagnostics_json(plan.diagnostics),
    }
