"""Data in, statistics out. Sees arrays and plan types only, never graph objects."""

from onnx2snn.calibration.dataset import Dataset, Preprocessing, open_dataset
from onnx2snn.calibration.statistics import SiteStatistics, collect_statistics
from onnx2snn.calibration.synthetic import synthetic_dataset

__all__ = [
    "Dataset",
    "Preprocessing",
    "SiteStatistics",
    "collect_statistics",
    "open_dataset",
    "synthetic_dataset",
]
