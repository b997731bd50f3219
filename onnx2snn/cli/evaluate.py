"""``onnx2snn evaluate``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from onnx2snn.cli.options import FILE, Steps, simulation_options
from onnx2snn.cli.output import note, percent, print_json, print_table, progress_bar, say
from onnx2snn.cli.simulation import open_simulation
from onnx2snn.errors import BackendError, naming
from onnx2snn.evaluation import Evaluation, evaluate
from onnx2snn.frontend.runnable import runnable
from onnx2snn_runtime import SpikingSession

POWERS = (1, 2, 4, 8, 16, 32, 64, 128)


@click.command("evaluate")
@click.argument("model", type=FILE)
@click.option("--data", type=FILE, required=True, help="An .npz with samples and labels.")
@click.option("--ann", type=FILE, help="The source network, to compare with.")
@click.option(
    "-T",
    "--timesteps",
    type=Steps(),
    help="Numbers of time steps, such as 1,2,4,8.  [default: powers of two up to the file's T]",
)
@simulation_options
def command(
    model: str,
    data: str,
    ann: str | None,
    timesteps: tuple[int, ...] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure accuracy over time of the spiking network MODEL."""
    session, dataset = open_simulation(model, data, **options)
    source = None if ann is None else runnable(ann)
    with progress_bar(quiet=as_json) as progress, naming(model, BackendError):
        result = evaluate(
            session,
            dataset,
            timesteps=timesteps or default_steps(session),
            ann=source,
            ann_name=ann or "",
            progress=progress,
        )
    if as_json:
        print_json("evaluate", asdict(result))
        return
    print_evaluation(result)
    if dataset.labels is None and source is None:
        note("the data hold no labels and --ann is not given: only firing rates can be told")


def default_steps(session: SpikingSession) -> tuple[int, ...]:
    """Powers of two below the file's T, and that T; only that T where a part waits for it."""
    if session.timesteps_fixed and not session.is_anytime:
        return (session.timesteps,)
    return (*(t for t in POWERS if t < session.timesteps), session.timesteps)


def print_evaluation(result: Evaluation) -> None:
    """The tables of an evaluation."""
    if result.ann_accuracy is not None:
        say(f"source network: {percent(result.ann_accuracy)} % of {result.samples} samples")
    print_table(
        f"spiking network, {result.samples} samples",
        ["T", "accuracy %", "agreement with source %"],
        [[str(r.timesteps), percent(r.accuracy), percent(r.agreement)] for r in result.rows],
    )
    if result.rates:
        print_table(
            f"firing rates at T = {result.rows[-1].timesteps}",
            ["population", "spikes per neuron and step"],
            [[name, f"{rate:.4f}"] for name, rate in result.rates.items()],
        )
    line = f"simulated {result.simulated_steps} steps of each sample in {result.snn_seconds:.2f} s"
    if result.ann_seconds is not None:
        line += f"; source network {result.ann_seconds:.2f} s"
    say(line)
