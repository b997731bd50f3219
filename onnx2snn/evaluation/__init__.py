"""How good a spiking network is: accuracy and agreement over time, activity."""

from onnx2snn.evaluation.accuracy import Evaluation, Row, evaluate, evaluate_ann

__all__ = ["Evaluation", "Row", "evaluate", "evaluate_ann"]
