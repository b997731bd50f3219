"""``onnx2snn run``."""

from __future__ import annotations

import io
import time
from typing import Any

import click
import numpy as np

from onnx2snn.cli.options import FILE, Whole, check_output, simulation_options
from onnx2snn.cli.output import print_json, print_table, progress_bar, say
from onnx2snn.cli.simulation import open_simulation
from onnx2snn.errors import BackendError, naming
from onnx2snn.files import write_bytes

READ_SIZE = 64


@click.command("run")
@click.argument("model", type=FILE)
@click.option("-i", "--input", "data", type=FILE, required=True, help="An .npz.")
@click.option("-o", "--output", type=FILE, help="An .npz for the outputs.")
@click.option("-T", "--timesteps", type=Whole(1), help="By default the file's.")
@click.option(
    "--until-settled",
    is_flag=True,
    help="Stop before T once no step can change an answer; for exact networks (unary).",
)
@simulation_options
def command(
    model: str,
    data: str,
    output: str | None,
    timesteps: int | None,
    until_settled: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Simulate the spiking network MODEL on the samples of an .npz."""
    check_output(output, model, data)
    session, dataset = open_simulation(model, data, **options)
    parts: dict[str, list[Any]] = {o.name: [] for o in session.outputs}
    started = time.perf_counter()
    with progress_bar(quiet=as_json) as progress, naming(model, BackendError):
        done = 0
        for feeds in dataset.batches(READ_SIZE):
            answers = session.run(feeds, timesteps, until_settled=until_settled)
            for name, values in answers.items():
                parts[name].append(values)
            done += len(next(iter(answers.values())))
            progress("simulate", done, len(dataset))
    seconds = time.perf_counter() - started
    results = {name: np.concatenate(values) for name, values in parts.items()}
    if output is not None:
        _save(output, results)
    steps = timesteps or session.timesteps
    if as_json:
        shapes = {name: list(values.shape) for name, values in results.items()}
        content = {"samples": len(dataset), "timesteps": steps, "until_settled": until_settled}
        print_json("run", {**content, "seconds": seconds, "outputs": shapes, "output": output})
        return
    limit = ", or fewer steps until settled" if until_settled else ""
    say(f"{len(dataset)} samples, T = {steps}{limit}, {seconds:.2f} s")
    print_table(
        "outputs",
        ["name", "shape", "smallest", "mean", "largest"],
        [
            [n, str(list(v.shape)), f"{v.min():.4g}", f"{v.mean():.4g}", f"{v.max():.4g}"]
            for n, v in results.items()
        ],
    )
    if output is not None:
        say(f"wrote {output}")


def _save(path: str, arrays: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())
