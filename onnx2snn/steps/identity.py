"""What a calibration depends on: another one must not go on from its results."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields

import numpy as np
import onnxruntime

from onnx2snn.calibration import Dataset
from onnx2snn.canonical import CanonicalGraph
from onnx2snn.emit.assemble import tool_version
from onnx2snn.json_form import to_plain
from onnx2snn.plan import ConversionConfig

READ_SIZE = 256


def calibration_identity(
    canonical: CanonicalGraph, config: ConversionConfig, dataset: Dataset
) -> dict[str, str]:
    """By the names that users know: model, data, every option, and the versions that compute.

    Args:
        canonical: the network.
        config: with all that was found before calibration.
        dataset: the samples that are used; their name counts too, for plans tell it.

    Raises:
        DataError: the data do not fit the model.
    """
    return {
        "model": canonical.source.digest,
        "calibration data": _digest(dataset),
        "name of the data": dataset.name,
        **{f.name: json.dumps(to_plain(getattr(config, f.name))) for f in fields(config)},
        "version of onnx2snn": tool_version(),
        "version of onnxruntime": onnxruntime.__version__,
        "version of numpy": np.__version__,
    }


def _digest(dataset: Dataset) -> str:
    """Of all samples, as the network receives them."""
    digest = hashlib.sha256()
    for batch in dataset.batches(READ_SIZE):
        for name, values in batch.items():
            digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
