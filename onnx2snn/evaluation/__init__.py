"""How good a spiking network is: accuracy and agreement over time, activity, exactness."""

from onnx2snn.evaluation.accuracy import Evaluation, Row, evaluate, evaluate_ann
from onnx2snn.evaluation.exact_session import ExactSession
from onnx2snn.evaluation.verify import Difference, PopulationCheck, Verification, verify

__all__ = [
    "Difference",
    "Evaluation",
    "ExactSession",
    "PopulationCheck",
    "Row",
    "Verification",
    "evaluate",
    "evaluate_ann",
    "verify",
]
