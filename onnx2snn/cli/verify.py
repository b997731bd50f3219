"""``onnx2snn verify``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from onnx2snn.calibration import open_dataset
from onnx2snn.cli.options import FILE, Whole, make_preprocessing, simulation_options
from onnx2snn.cli.output import percent, print_json, print_table, progress_bar, say
from onnx2snn.errors import BackendError, ModelFileError, TimestepsError, naming
from onnx2snn.evaluation import ExactSession, Verification, verify
from onnx2snn.frontend import read_source
from onnx2snn_runtime.modelfile import read_model

DIFFERENT = 3
#: What gives a quantizer's integers where onnxruntime has no integer kernel for them.
FLOAT_KERNEL = "QuantizeLinear"
MEANINGS = {
    "rational": "exact rational arithmetic",
    "ort": "onnxruntime's integer kernels",
}


@click.command("verify")
@click.argument("model", type=FILE)
@click.option("--ann", type=FILE, required=True, help="The quantized source network.")
@click.option("--data", type=FILE, required=True, help="An .npz with samples.")
@click.option(
    "--against",
    type=click.Choice(list(MEANINGS)),
    help="Whose integers: exact arithmetic, or onnxruntime's kernels.  [default: as converted]",
)
@click.option("-T", "--timesteps", type=Whole(1), help="By default the file's.")
@simulation_options
def command(
    model: str,
    ann: str,
    data: str,
    against: str | None,
    timesteps: int | None,
    samples: int | None,
    seed: int,
    backend: str,
    providers: tuple[str, ...],
    threads: int,
    memory: int,
    as_json: bool,
    **preprocessing: Any,
) -> int:
    """Compare the exact spiking network MODEL with its source, integer by integer.

    Exit code 0: all equal. 3: a difference was found.
    """
    with naming(model, ModelFileError, BackendError):
        session = ExactSession(
            read_model(model), backend=backend, providers=providers, threads=threads, memory=memory
        )
    source, _ = read_source(ann)
    inputs = open_dataset(data, session.inputs, make_preprocessing(**preprocessing))
    dataset = inputs.subset(samples, seed)
    with progress_bar(quiet=as_json) as progress, naming(model, BackendError, TimestepsError):
        result = verify(
            session,
            source,
            dataset,
            source_name=ann,
            against=against,
            timesteps=timesteps,
            progress=progress,
        )
    if as_json:
        totals = {"equal": result.equal, "mismatches": result.mismatches}
        print_json("verify", {**totals, **asdict(result)})
    else:
        print_verification(result)
    return 0 if result.equal else DIFFERENT


def print_verification(result: Verification) -> None:
    """The table, the first difference, and the verdict."""
    columns = ["population", "neurons × samples", "mismatches", "largest difference"]
    settles = result.emission == "unary"
    rows = [
        [
            p.name,
            f"{p.neurons} × {result.samples}",
            str(p.mismatches),
            str(p.largest),
            *([str(p.settled)] if settles else []),
        ]
        for p in result.populations
    ]
    print_table(
        f"{result.samples} samples, T = {result.timesteps}, against {MEANINGS[result.against]}",
        [*columns, "settled at step"] if settles else columns,
        rows,
    )
    _print_kernels(result)
    _print_settling(result)
    classes = "" if result.same_class is None else f", same class {percent(result.same_class)} %"
    say(
        f"outputs: largest difference {percent(result.output_difference)} % of the largest{classes}"
    )
    _print_first(result)
    _print_verdict(result)


def _print_verdict(result: Verification) -> None:
    compared = sum(p.compared for p in result.populations)
    if result.equal:
        say(f"equal: all of {compared} integers")
        return
    if result.miscounted:
        say(f"{result.miscounted} spike trains do not amount to what their neurons hold")
    say(f"different: {result.mismatches} of {compared} integers")


def _print_kernels(result: Verification) -> None:
    floats = sum(p.kernel == FLOAT_KERNEL for p in result.populations)
    if floats:
        say(f"onnxruntime has no integer kernel for {floats} of them and computes in float32")
    if result.saturating:
        say("this CPU's kernels saturate in int16 (x86 without VNNI), other CPUs' do not")


def _print_settling(result: Verification) -> None:
    if result.emission != "unary":
        return
    if result.settled < result.simulated:
        say(f"all at rest after step {result.settled} of {result.timesteps}")
    else:
        say(f"still moving at step {result.timesteps}: give -T a larger number")


def _print_first(result: Verification) -> None:
    first = result.first
    if first is None:
        return
    line = (
        f"first difference: {first.population}, index {list(first.index)}: "
        f"spiking {first.spiking}, source {first.source}"
    )
    if first.steps is not None:
        line += f"; exact value {first.steps:.9g} steps, {first.distance:.3g} from a rounding tie"
    if {p.name: p.kernel for p in result.populations}[first.population] == FLOAT_KERNEL:
        line += "; onnxruntime computes it in float32"
    say(line)
