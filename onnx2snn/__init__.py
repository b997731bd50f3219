"""onnx2snn: turn trained neural networks in ONNX files into spiking neural networks.

::

    import onnx2snn
    result = onnx2snn.convert("model.onnx", timesteps=8)
    result.save("model.snn.onnx")
"""

from onnx2snn import errors
from onnx2snn.api import ConversionResult, Inspection, convert, inspect
from onnx2snn.calibration import Preprocessing
from onnx2snn.checkpoint import Checkpoint
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.plan import (
    ActivationSite,
    ConversionConfig,
    ConversionPlan,
    Diagnostic,
    NeuronPlan,
)

__all__ = [
    "ActivationSite",
    "Checkpoint",
    "ConversionConfig",
    "ConversionPlan",
    "ConversionResult",
    "Diagnostic",
    "Inspection",
    "NeuronPlan",
    "Onnx2SnnError",
    "Preprocessing",
    "convert",
    "errors",
    "inspect",
]
