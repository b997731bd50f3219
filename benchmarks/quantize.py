"""Static int8 quantization of a float network by onnxruntime, for the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from common import Network
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from onnx2snn.calibration import open_dataset
from onnx2snn_runtime.inputs import tensor_info

SAMPLES = 256
BATCH = 32


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Preprocessed training images."""

    def __init__(self, network: Network) -> None:
        graph = onnx.load(str(network.model)).graph
        infos = tuple(tensor_info(i) for i in graph.input)
        dataset = open_dataset(network.calibration, infos, network.preprocessing)
        self._batches: Iterator[dict[str, Any]] = dataset.subset(SAMPLES).batches(BATCH)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, None at the end."""
        return next(self._batches, None)


def quantized(
    network: Network,
    target: Path,
    *,
    symmetric: bool = True,
    form: QuantFormat = QuantFormat.QDQ,
) -> Path:
    """Write the network's int8 form; per-channel weights."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(network.model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Reader(network),
            quant_format=form,
            per_channel=True,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": symmetric},
        )
    return target
