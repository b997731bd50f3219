"""What a recipe is: a named combination of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onnx2snn_runtime.registry import Registry


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
        emission: how exact neurons speak ("unary", "averaged", "radix"); empty for recipes that
            approximate.
    """

    name: str
    summary: str
    needs: str
    costs: str
    citation: str = ""
    stages: Mapping[str, Any] = field(default_factory=dict)
    emission: str = ""


RECIPES: Registry[Recipe] = Registry("recipe", "onnx2snn.methods.recipes")
