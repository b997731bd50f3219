"""``onnx2snn demo``."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path

import click

from onnx2snn import api
from onnx2snn.calibration import Preprocessing, open_dataset
from onnx2snn.cli.convert import print_plan
from onnx2snn.cli.evaluate import print_evaluation
from onnx2snn.cli.options import FILE, check_output, json_option
from onnx2snn.cli.output import print_diagnostics, print_json, progress_bar, say
from onnx2snn.evaluation import evaluate
from onnx2snn.frontend import read_source
from onnx2snn_runtime import SpikingSession

STEPS = (1, 2, 4, 8, 16, 32)
MODEL = "digits_cnn_int8.onnx"
DATA = "digits_heldout.npz"
#: The digits' pixels are 0 … 16.
PREPROCESSING = Preprocessing(layout="NCHW", scale=1 / 16)


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=FILE,
    default="digits_cnn_int8.snn.onnx",
    show_default=True,
    help="Where the spiking file goes.",
)
@json_option
def command(output: str, as_json: bool) -> None:
    """Convert a small int8 network and simulate it on held-out images, both in the package."""
    check_output(output)
    folder = files("onnx2snn") / "demo_data"
    with as_file(folder / MODEL) as model, as_file(folder / DATA) as data:
        result = api.convert(model, timesteps=STEPS[-1])
        result.save(output)
        session = SpikingSession(output)
        dataset = open_dataset(data, session.inputs, PREPROCESSING)
        with progress_bar(quiet=as_json) as progress:
            measured = evaluate(
                session,
                dataset,
                timesteps=STEPS,
                ann=read_source(model)[0],
                progress=progress,
            )
    if as_json:
        print_json("demo", {"output": output, **asdict(measured)})
        return
    print_plan(result.plan)
    print_diagnostics(result.diagnostics)
    print_evaluation(measured)
    say(f"the spiking network is in {Path(output)}; any onnxruntime can run it")
