"""Runtime for spiking ONNX files: the op set, the reference evaluator, the session.

Needs numpy, onnx and onnxruntime only; it never imports the converter.
"""

from onnx2snn_runtime.errors import (
    BackendError,
    DataError,
    ModelFileError,
    Onnx2SnnError,
    RegistryError,
    TimestepsError,
)
from onnx2snn_runtime.inputs import TensorInfo
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS, OpSpec, register_schemas
from onnx2snn_runtime.results import Observation, Totals, Trace
from onnx2snn_runtime.session import SpikingSession

__all__ = [
    "DOMAIN",
    "DOMAIN_VERSION",
    "OPS",
    "BackendError",
    "DataError",
    "ModelFileError",
    "Observation",
    "Onnx2SnnError",
    "OpSpec",
    "RegistryError",
    "SpikingSession",
    "TensorInfo",
    "TimestepsError",
    "Totals",
    "Trace",
    "register_schemas",
]
