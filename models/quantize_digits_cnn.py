"""Quantize the digits network to int8 with onnxruntime, in the two styles that users' files have.

Both files are in QDQ format with per-channel int8 weights, calibrated on training images. With
symmetric activations every zero point is 0 and the Relu nodes stay in the file; with asymmetric
(uint8) activations onnxruntime removes each Relu, because the quantizer that follows clips at
zero by itself: a converter that looks for Relu nodes finds none. The symmetric file is the demo
network of the package and is therefore written there, once.

Needs numpy, onnx and onnxruntime only.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import model_tools
import numpy as np
import onnx
from model_tools import DEMO_DIR, INPUT_NAME, LICENCE, MODELS_DIR, FloatArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

FLOAT_FILE = MODELS_DIR / "digits_cnn_float.onnx"
CALIBRATION_FILE = MODELS_DIR / "digits_calibration.npz"
BATCH_SIZE = 50

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """One way to quantize the activations, and where the result goes."""

    output: Path
    activation_type: QuantType
    symmetric: bool
    title: str


SYMMETRIC = Variant(
    DEMO_DIR / "digits_cnn_int8.onnx",
    QuantType.QInt8,
    True,
    "int8 activations, symmetric (every zero point is 0); Relu nodes are present",
)
ASYMMETRIC = Variant(
    MODELS_DIR / "digits_cnn_int8_asymmetric.onnx",
    QuantType.QUInt8,
    False,
    "uint8 activations, asymmetric; Relu nodes are absorbed by the quantizers",
)


class ArrayReader(CalibrationDataReader):  # type: ignore[misc]
    """Feeds one array to the calibrator in batches."""

    def __init__(self, inputs: FloatArray) -> None:
        """Divide the array into batches."""
        self._batches: Iterator[FloatArray] = iter(
            [inputs[i : i + BATCH_SIZE] for i in range(0, len(inputs), BATCH_SIZE)]
        )

    def get_next(self) -> dict[str, FloatArray] | None:
        """Return the next feed, or None after the last one."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: batch}


def load_calibration() -> FloatArray:
    """Return the calibration images, already divided by 16."""
    with np.load(CALIBRATION_FILE, allow_pickle=False) as archive:
        inputs: FloatArray = archive[INPUT_NAME]
    return inputs


def quantize(variant: Variant, inputs: FloatArray) -> onnx.ModelProto:
    """Preprocess (this folds batch normalisation), calibrate and quantize; return the model."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder, "prepared.onnx")
        result = Path(folder, "quantized.onnx")
        # Symbolic shape inference is meant for transformers; plain inference suffices here.
        quant_pre_process(str(FLOAT_FILE), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(result),
            ArrayReader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=variant.activation_type,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": variant.symmetric},
        )
        return onnx.load(str(result))


def write(variant: Variant, inputs: FloatArray) -> None:
    """Make one quantized file."""
    model = quantize(variant, inputs)
    doc = (
        f"{onnx.load(str(FLOAT_FILE)).graph.doc_string.split(' Batch')[0]} "
        f"Quantized by onnxruntime in QDQ format: per-channel int8 weights, {variant.title}."
    )
    metadata = {
        "made_by": "models/quantize_digits_cnn.py",
        "made_from": f"models/{FLOAT_FILE.name}",
        "licence": LICENCE,
        "data": "UCI Optical Recognition of Handwritten Digits, CC BY 4.0, through scikit-learn",
        "preprocessing": "pixel / 16",
    }
    model_tools.tidy(model, name=variant.output.stem, doc=doc, metadata=metadata)
    model_tools.save(model, variant.output)
    logger.info("%s: %d bytes", variant.output.name, variant.output.stat().st_size)


def main() -> None:
    """Make both files."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    inputs = load_calibration()
    for variant in (SYMMETRIC, ASYMMETRIC):
        write(variant, inputs)


if __name__ == "__main__":
    main()
