"""How thresholds, potentials, biases and weights are chosen: one method per file."""

from onnx2snn.methods.base import (
    BIASES,
    POTENTIALS,
    THRESHOLDS,
    TUNINGS,
    WEIGHTS,
    BiasMethod,
    Calibrated,
    PotentialMethod,
    ThresholdMethod,
    TuningMethod,
    WeightMethod,
)
from onnx2snn.methods.layerwise import Layerwise, calibrate_layers, walks
from onnx2snn.methods.network import calibrate, calibrates
from onnx2snn.methods.planner import plan_neurons, sites_without_threshold
from onnx2snn.methods.recipe import RECIPES, Recipe

__all__ = [
    "BIASES",
    "POTENTIALS",
    "RECIPES",
    "THRESHOLDS",
    "TUNINGS",
    "WEIGHTS",
    "BiasMethod",
    "Calibrated",
    "Layerwise",
    "PotentialMethod",
    "Recipe",
    "ThresholdMethod",
    "TuningMethod",
    "WeightMethod",
    "calibrate",
    "calibrate_layers",
    "calibrates",
    "plan_neurons",
    "sites_without_threshold",
    "walks",
]
