"""Options of a conversion: the recipe's stages, what is given in their place, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from numbers import Integral
from typing import Any

from onnx2snn.emit.encoding import ENCODINGS
from onnx2snn.emit.readout import READOUTS, default_delay
from onnx2snn.emit.weight_bits import LEAST_WEIGHT_BITS, MOST_WEIGHT_BITS
from onnx2snn.errors import CalibrationError, ConfigError, PlanError, RegistryError
from onnx2snn.exact.quantize import LEAST_BITS, MOST_BITS
from onnx2snn.methods import (
    BIASES,
    POTENTIALS,
    RECIPES,
    THRESHOLDS,
    TUNINGS,
    WEIGHTS,
    calibrates,
)
from onnx2snn.methods.planner import AUTO
from onnx2snn.plan import ConversionConfig

CHOICES = {
    "granularity": ("channel", "layer"),
    "reset": ("subtract", "zero"),
    "avgpool": ("spiking", "linear"),
    "augment": ("none", "flip-crop"),
    "neuron": ("if", "signed-if", "asg", "ca-lif", "ca-lif-unrounded", "lif"),
    "arithmetic": ("rational", "ort"),
}
DEFAULT_TIMESTEPS = 8
MOST_TIMESTEPS = 2**31 - 1


def configure(
    recipe: str, given: Mapping[str, Any], *, has_data: bool, **fixed: Any
) -> ConversionConfig:
    """The recipe's stages, those given in their place, and the rest.

    Raises:
        ConfigError: a value is out of its range, or the recipe has no such stage.
    """
    chosen = RECIPES.get(recipe)
    own = {"arithmetic"} if chosen.is_exact or not chosen.emission else {"neuron"}
    idle = sorted(set(given) - own if chosen.emission else set(given) & own)
    if fixed["quantize"] and not chosen.emission:
        idle.append("quantize")
    if idle:
        remedy = "leave it out" if chosen.emission else "it belongs to the exact recipes"
        if "weight_bits" in idle:
            remedy += "; the weights stay the integers that they are"
        raise ConfigError(f"recipe {recipe} takes no {', '.join(idle)}", remedy=remedy)
    stages = chosen.chosen(given, timesteps=fixed["timesteps"], has_data=has_data)
    config = ConversionConfig(recipe=recipe, **stages, **fixed)
    config = replace(config, percentile=float(config.percentile), leak=float(config.leak))
    check_config(config)
    if recipe != AUTO and not fixed["quantize"] and not has_data and _needs_data(config):
        raise CalibrationError(
            f"recipe {recipe} needs {chosen.needs}",
            remedy="pass --calibration-data, or convert with recipe auto, which can do without",
        )
    if READOUTS.get(config.readout).delays and "readout_delay" not in stages:
        config = replace(config, readout_delay=default_delay(config.timesteps))
    return config


def check_config(config: ConversionConfig) -> None:
    """Refuse what is out of its range.

    Raises:
        ConfigError, RegistryError: a value is.
    """
    for name, least, most in (
        ("timesteps", 1, MOST_TIMESTEPS),
        ("samples", 1, inf),
        ("seed", 0, inf),
        ("quantize", LEAST_BITS if config.quantize else 0, MOST_BITS),
        ("readout_delay", 0, inf),
        ("weight_bits", LEAST_WEIGHT_BITS if config.weight_bits else 0, MOST_WEIGHT_BITS),
    ):
        value = getattr(config, name)
        if not isinstance(value, Integral) or not least <= int(value) <= most:
            limit = "" if most == inf else f" and at most {most}"
            raise ConfigError(
                f"{name} must be a whole number of at least {least}{limit}, not {value}"
            )
    if not 0 < config.percentile <= 100:
        raise ConfigError(f"percentile must be in (0, 100], not {config.percentile}")
    for name in ("input_range", "output_range"):
        ends = getattr(config, name)
        if ends is not None and not -inf < ends[0] < ends[1] < inf:
            raise ConfigError(f"{name} must be a smaller and a larger number, both finite")
    for name, choices in CHOICES.items():
        if getattr(config, name) not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(choices)}")
    neurons = RECIPES.get(config.recipe).neurons
    if config.neuron not in neurons:
        raise ConfigError(
            f"recipe {config.recipe} has no neurons '{config.neuron}'",
            remedy=f"it has {', '.join(neurons)}",
        )
    leaks = config.neuron == "lif" and not RECIPES.get(config.recipe).emission
    if leaks != (config.leak != 0) or not 0 <= config.leak < 1:
        raise ConfigError(
            f"leak {config.leak:g} does not fit neurons '{config.neuron}'",
            remedy="give 'lif' neurons a leak above 0 and below 1, others none",
        )
    if config.threshold != AUTO:
        THRESHOLDS.get(config.threshold)
    POTENTIALS.get(config.v_init)
    BIASES.get(config.bias)
    ENCODINGS.get(config.encoding)
    WEIGHTS.get(config.weights)
    TUNINGS.get(config.tuning)
    _check_readout(config)


def _check_readout(config: ConversionConfig) -> None:
    delays = READOUTS.get(config.readout).delays
    if config.readout_delay and not delays:
        raise ConfigError(
            f"readout '{config.readout}' leaves no steps out",
            remedy="choose readout 'delayed' with readout_delay",
        )
    if config.output_range is not None and not READOUTS.get(config.readout).counts:
        raise ConfigError(
            f"readout '{config.readout}' counts no spikes, so it takes no output_range",
            remedy="leave it out, or choose readout 'count'",
        )
    if delays and config.readout_delay >= config.timesteps:
        raise ConfigError(
            f"readout_delay {config.readout_delay} leaves nothing of {config.timesteps} steps",
            remedy=f"leave out at most {config.timesteps - 1}",
        )


def check_planned(config: ConversionConfig) -> None:
    """The options of a plan, which anybody may have edited.

    Raises:
        PlanError: one is out of its range.
    """
    try:
        check_config(config)
    except (ConfigError, RegistryError) as error:
        raise PlanError(error.what, remedy=error.remedy) from error


def _needs_data(config: ConversionConfig) -> bool:
    """Whether a chosen stage is nothing without calibration data."""
    return calibrates(config) or (config.threshold != AUTO and uses_data(config))


def uses_data(config: ConversionConfig) -> bool:
    """Whether thresholds come from data, where there are any."""
    return config.threshold == AUTO or THRESHOLDS.get(config.threshold).needs_data
