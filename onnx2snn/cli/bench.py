"""``onnx2snn bench``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
import numpy as np
import onnx

from onnx2snn.calibration import Dataset, open_dataset, synthetic_dataset
from onnx2snn.cli.options import (
    BACKENDS,
    FILE,
    Whole,
    given,
    json_option,
    make_preprocessing,
    preprocessing_options,
    resource_options,
    sampling_options,
)
from onnx2snn.cli.output import note, print_json, print_table, progress_bar, say
from onnx2snn.errors import BackendError, DataError, ModelFileError, TimestepsError, naming
from onnx2snn.evaluation.timing import Bench, Cost, SpikingTask, bench
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.native import has_kernels
from onnx2snn_runtime.modelfile import read_model

CONFIG = "org.onnx2snn.config"
MIB = 2**20
SAMPLES = 16


@click.command("bench")
@click.argument("model", type=FILE)
@click.option("--ann", type=FILE, help="The source network, to compare with.")
@click.option("-T", "--timesteps", type=Whole(1), help="By default the file's.")
@click.option(
    "--backend",
    "backends",
    type=click.Choice(BACKENDS),
    multiple=True,
    help="May be repeated.  [default: native, if there are kernels, and stock]",
)
@click.option(
    "--batch",
    type=Whole(1),
    help="Samples simulated at once.  [default: as many as the memory holds]",
)
@click.option(
    "--repetitions",
    type=Whole(1, 10_000),
    default=5,
    show_default=True,
    help="Runs of everything in turn, after one that is not counted.",
)
@click.option(
    "--data", type=FILE, help="An .npz with samples.  [default: random ones in the input range]"
)
@preprocessing_options
@sampling_options(SAMPLES)
@resource_options(threads=1)
@json_option
def command(
    model: str,
    ann: str | None,
    timesteps: int | None,
    backends: tuple[str, ...],
    batch: int | None,
    repetitions: int,
    data: str | None,
    samples: int,
    seed: int,
    providers: tuple[str, ...],
    threads: int,
    memory: int,
    as_json: bool,
    **preprocessing: Any,
) -> None:
    """Measure time and memory of the spiking network MODEL, backend by backend.

    With --ann beside the source network, at the batch at which that is fastest. One thread, unless
    --threads says otherwise.
    """
    options = BackendOptions(providers, threads)
    chosen = _available(backends, options)
    with naming(model, ModelFileError, BackendError):
        loaded = read_model(model)
        session = SpikingSession(loaded, backend="stock", providers=providers, threads=threads)
    if data is None:
        _refuse_preprocessing()
        dataset = _made_up(loaded, session, samples, seed)
    else:
        infos = session.inputs
        dataset = open_dataset(data, infos, make_preprocessing(**preprocessing))
        dataset = dataset.subset(samples, seed)
    (feeds,) = dataset.batches(len(dataset))
    steps = timesteps or session.timesteps
    tasks = {
        name: SpikingTask(model, feeds, steps, name, options, memory, batch) for name in chosen
    }
    with (
        progress_bar(quiet=as_json) as progress,
        naming(model, BackendError, DataError, TimestepsError),
    ):
        result = bench(tasks, ann=ann, repetitions=repetitions, progress=progress)
    if not backends and "native" not in chosen:
        note("no compiled kernels can be used here: only the file's function bodies are measured")
    if as_json:
        facts = {"threads": threads, "memory": memory, "repetitions": repetitions}
        print_json("bench", {**facts, "inputs": dataset.name, **_as_json(result)})
        return
    _print(result, dataset.name, threads, repetitions)


def _available(wanted: tuple[str, ...], options: BackendOptions) -> tuple[str, ...]:
    """The backends to measure.

    Raises:
        BackendError: the compiled kernels are asked for, and there are none.
    """
    kernels = has_kernels(options)
    if "native" in wanted and not kernels:
        raise BackendError(
            "no compiled kernels can be used here, so 'native' would be 'stock'",
            remedy="see the log with -v, or leave out --backend native",
        )
    if wanted:
        return tuple(dict.fromkeys(wanted))
    return ("native", "stock") if kernels else ("stock",)


def _refuse_preprocessing() -> None:
    extra = given("layout", "scale", "mean", "std")
    if extra:
        raise click.UsageError(f"{', '.join(extra)} without --data")


def _made_up(model: onnx.ModelProto, session: SpikingSession, samples: int, seed: int) -> Dataset:
    """Random samples in the input range that the file records, or in that of bytes, or 0 to 1."""
    inputs = session.inputs
    low, high = _recorded_range(model) or (
        (0.0, 255.0) if inputs[0].dtype == np.uint8 else (0.0, 1.0)
    )
    fixed = inputs[0].shape[:1]
    if fixed and isinstance(fixed[0], int):
        samples = -(-samples // fixed[0]) * fixed[0]
    return synthetic_dataset(inputs, (low, high), seed, samples)


def _recorded_range(model: onnx.ModelProto) -> tuple[float, float] | None:
    """The input range of the conversion, as far as a file's provenance tells it."""
    for entry in model.metadata_props:
        if entry.key == CONFIG:
            try:
                low, high = json.loads(entry.value)["input_range"]
                return float(low), float(high)
            except (ValueError, TypeError, KeyError):  # none, or edited by hand
                return None
    return None


def _as_json(result: Bench) -> dict[str, Any]:
    backends = {
        name: {
            **asdict(cost),
            "source_inferences": result.inferences(name),
            "source_inferences_per_step": _per_step(result, name),
        }
        for name, cost in result.backends.items()
    }
    return {**asdict(result), "backends": backends}


def _per_step(result: Bench, name: str) -> float | None:
    inferences = result.inferences(name)
    return None if inferences is None else inferences / result.timesteps


def _print(result: Bench, data: str, threads: int, repetitions: int) -> None:
    columns = ["network", "ms per sample", "range", "peak MiB"]
    rows = [[name, *_cells(cost)] for name, cost in result.backends.items()]
    if result.source is not None:
        columns += ["× source", "× source and T"]
        for row in rows:
            row += [f"{result.inferences(row[0]):.2f}", f"{_per_step(result, row[0]):.3f}"]
        own = ["1.00", f"{1 / result.timesteps:.3f}"]
        rows.append([f"source, batch {result.source.batch}", *_cells(result.source), *own])
    used = "onnxruntime's choice of threads" if threads == 0 else f"{threads} thread(s)"
    print_table(f"T = {result.timesteps}, {used}, {result.samples} samples", columns, rows)
    say(f"medians of {repetitions} interleaved repetitions on {data}")
    say("peak memory: above the loaded network, in a process of its own")


def _cells(cost: Cost) -> list[str]:
    seconds = cost.seconds
    spread = f"{1e3 * seconds.smallest:.3f}–{1e3 * seconds.largest:.3f}"
    peak = "?" if cost.peak_memory is None else f"{cost.peak_memory / MIB:.1f}"
    return [f"{1e3 * seconds.median:.3f}", spread, peak]
