"""What a recipe is: a named combination of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from numbers import Integral
from typing import Any

from onnx2snn_runtime.registry import Registry

#: In longer windows layer-by-layer calibration gains little and takes long.
LONGEST_CALIBRATED = 64
#: Windows up to here are short: gradients through time are worth what they take.
SHORT = 6
#: Stages that calibration is about.
CALIBRATED = frozenset({"threshold", "percentile", "v_init", "bias", "weights", "tuning", "reset"})
#: The neuron model where none is named.
PLAIN = "if"
#: Neurons that calibration cannot simulate.
UNSIMULATED = frozenset({"lif"})

#: Emissions that say the very integers.
EXACT = ("unary", "averaged", "radix")


@dataclass(frozen=True, eq=False)
class Recipe:
    """A named combination of stages.

    Attributes:
        name: as users write it.
        summary: one line.
        citation: authors, year, where; empty for our own.
        needs: what the network or the user must bring, in words.
        costs: time steps and conversion time, in words.
        stages: fields of ConversionConfig that it sets; what the user says comes first.
        stages_with_data: more of them where there are calibration data, the window is no longer
            than LONGEST_CALIBRATED, and the user chose no stage that calibration is about.
        stages_by_neuron: what a neuron model has in place of some of them.
        stages_in_short_windows: the same for plain neurons up to SHORT steps.
        contest: recipes that are tried in place of ``stages_with_data``, where those apply, on a
            part of the data; the best one's stages are taken.
        emission: how neurons speak the integers of quantizers: exactly ("unary", "averaged",
            "radix") or nearly ("calcium"); empty for recipes that need no quantizers.
        neurons: what the stage "neuron" may be.
    """

    name: str
    summary: str
    needs: str
    costs: str
    citation: str = ""
    stages: Mapping[str, Any] = field(default_factory=dict)
    stages_with_data: Mapping[str, Any] = field(default_factory=dict)
    stages_by_neuron: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stages_in_short_windows: Mapping[str, Any] = field(default_factory=dict)
    contest: tuple[str, ...] = ()
    emission: str = ""
    neurons: tuple[str, ...] = ("if", "signed-if", "asg", "lif")

    @property
    def is_exact(self) -> bool:
        """Whether the network equals its quantized source."""
        return self.emission in EXACT

    def chosen(
        self, given: Mapping[str, Any], *, timesteps: object, has_data: bool
    ) -> dict[str, Any]:
        """All stages that are set: the recipe's, and in their place those given."""
        steps = int(timesteps) if isinstance(timesteps, Integral) else inf
        simulated = given.get("neuron") not in UNSIMULATED
        fits = steps <= LONGEST_CALIBRATED and not CALIBRATED & given.keys()
        calibrates = has_data and simulated and fits
        stages = {**self.stages, **(self.stages_with_data if calibrates else {})}
        if not stages:
            return dict(given)
        neuron = {**stages, **given}.get("neuron", PLAIN)
        own = self.stages_by_neuron.get(neuron, {})
        if neuron == PLAIN and steps <= SHORT:
            own = {**own, **self.stages_in_short_windows}
        return {**stages, **own, **given}


RECIPES: Registry[Recipe] = Registry("recipe", "onnx2snn.methods.recipes")
