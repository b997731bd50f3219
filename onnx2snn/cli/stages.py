"""Options of ``convert`` that choose a stage; what is not given, the recipe sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from onnx2snn.cli.options import Whole
from onnx2snn.emit.encoding import ENCODINGS
from onnx2snn.emit.readout import READOUTS
from onnx2snn.emit.weight_bits import LEAST_WEIGHT_BITS, MOST_WEIGHT_BITS
from onnx2snn.methods import BIASES, POTENTIALS, RECIPES, THRESHOLDS, TUNINGS, WEIGHTS
from onnx2snn.plan import ConversionConfig
from onnx2snn.steps.settings import CHOICES

F = TypeVar("F", bound=Callable[..., Any])

DEFAULTS = {f.name: f.default for f in fields(ConversionConfig)}


def stage_options(function: F) -> F:
    """--recipe, --arithmetic, and one option for each stage."""
    options = [
        click.option(
            "--recipe",
            type=click.Choice(RECIPES.names()),
            default="auto",
            show_default=True,
            help="Named combination of stages; see 'onnx2snn recipes'.",
        ),
        _stage(
            "arithmetic",
            click.Choice(CHOICES["arithmetic"]),
            "For exact recipes: whose integers are meant.",
        ),
        click.option(
            "--quantize",
            type=Whole(2, 8),
            default=None,
            metavar="BITS",
            help="For exact recipes: quantize a float network first, with the calibration data.",
        ),
        _stage(
            "threshold",
            click.Choice(["auto", *THRESHOLDS.names()]),
            "How thresholds are chosen.",
        ),
        _stage("granularity", click.Choice(CHOICES["granularity"]), "One threshold for each."),
        _stage(
            "percentile",
            click.FloatRange(0, 100, min_open=True),
            "For --threshold percentile.",
        ),
        _stage("v_init", click.Choice(POTENTIALS.names()), "Initial membrane potential."),
        _stage("bias", click.Choice(BIASES.names()), "How biases are corrected."),
        _stage("weights", click.Choice(WEIGHTS.names()), "How weights are corrected."),
        _stage("tuning", click.Choice(TUNINGS.names()), "How all layers are tuned together."),
        _stage(
            "augment",
            click.Choice(CHOICES["augment"]),
            "Calibrate on mirrored and shifted images too.",
        ),
        _stage("neuron", click.Choice(CHOICES["neuron"]), "Neuron model of activations."),
        click.option(
            "--leak",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            default=None,
            help="Of --neuron lif: share of the potential that is lost in every step.",
        ),
        _stage("encoding", click.Choice(ENCODINGS.names()), "How the input enters time."),
        _stage("reset", click.Choice(CHOICES["reset"]), "What a spike does to the potential."),
        _stage(
            "avgpool",
            click.Choice(CHOICES["avgpool"]),
            "Average pools with neurons of their own, or kept as synapses.",
        ),
        _stage("readout", click.Choice(READOUTS.names()), "How answers leave time."),
        click.option(
            "--readout-delay",
            type=Whole(0),
            default=None,
            metavar="STEPS",
            help="Of --readout delayed: steps that do not count.  [default: half the window]",
        ),
        click.option(
            "--output-range",
            type=float,
            nargs=2,
            default=None,
            help="Of --readout count: smallest and largest output.  [default: from the data]",
        ),
        click.option(
            "--weight-bits",
            type=Whole(LEAST_WEIGHT_BITS, MOST_WEIGHT_BITS),
            default=None,
            metavar="BITS",
            help="Round weights to so many bits, 4 to 8, a scale for each output channel.  "
            "[default: float32]",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _stage(name: str, kind: click.ParamType, text: str) -> Callable[[F], F]:  # type: ignore[type-arg]
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=None,
        help=f"{text}  [default: the recipe's, else {DEFAULTS[name]}]",
    )
