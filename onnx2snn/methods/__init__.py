"""How thresholds, potentials, biases and weights are chosen: one method per file."""

from onnx2snn.methods.base import (
    BIASES,
    POTENTIALS,
    THRESHOLDS,
    WEIGHTS,
    BiasMethod,
    PotentialMethod,
    ThresholdMethod,
    WeightMethod,
)
from onnx2snn.methods.layerwise import Layerwise, calibrate_layers, walks
from onnx2snn.methods.planner import plan_neurons, sites_without_threshold
from onnx2snn.methods.recipe import RECIPES, Recipe

__all__ = [
    "BIASES",
    "POTENTIALS",
    "RECIPES",
    "THRESHOLDS",
    "WEIGHTS",
    "BiasMethod",
    "Layerwise",
    "PotentialMethod",
    "Recipe",
    "ThresholdMethod",
    "WeightMethod",
    "calibrate_layers",
    "plan_neurons",
    "sites_without_threshold",
    "walks",
]
