"""How thresholds and initial potentials are chosen: one method per file."""

from onnx2snn.methods.base import POTENTIALS, THRESHOLDS, PotentialMethod, ThresholdMethod
from onnx2snn.methods.planner import plan_neurons, sites_without_threshold

__all__ = [
    "POTENTIALS",
    "THRESHOLDS",
    "PotentialMethod",
    "ThresholdMethod",
    "plan_neurons",
    "sites_without_threshold",
]
