"""How thresholds and initial potentials are chosen: one method per file."""

from onnx2snn.methods.base import POTENTIALS, THRESHOLDS, PotentialMethod, ThresholdMethod
from onnx2snn.methods.planner import plan_neurons, sites_without_threshold
from onnx2snn.methods.recipe import RECIPES, Recipe

__all__ = [
    "POTENTIALS",
    "RECIPES",
    "THRESHOLDS",
    "PotentialMethod",
    "Recipe",
    "ThresholdMethod",
    "plan_neurons",
    "sites_without_threshold",
]
