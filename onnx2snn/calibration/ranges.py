"""Smallest and largest value of tensors over a data set, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnx2snn.calibration.dataset import Dataset
from onnx2snn.calibration.runnable import ALL_THREADS
from onnx2snn.errors import CalibrationError
from onnx2snn.plan import Progress
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.instrument import with_outputs

BATCH_SIZE = 32


def tensor_ranges(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    dataset: Dataset,
    *,
    progress: Progress | None = None,
) -> dict[str, tuple[float, float]]:
    """The range of each tensor; graph inputs are among them on demand.

    Args:
        model: any network.
        tensors: names of its float tensors.
        dataset: what to feed it.
        progress: called with ("measure ranges", batches done, batches in all).

    Raises:
        CalibrationError: a value is NaN or infinite.
        DataError: the data do not fit the model.
    """
    inputs = {i.name for i in model.graph.input}
    taps = [t for t in tensors if t not in inputs]
    executable = StockExecutable(with_outputs(model, taps), ALL_THREADS)
    found: dict[str, tuple[float, float]] = {}
    total = -(-len(dataset) // BATCH_SIZE)
    for done, feeds in enumerate(dataset.batches(BATCH_SIZE), start=1):
        values = dict(zip(taps, executable.run(taps, feeds) if taps else [], strict=True))
        values.update({name: feeds[name] for name in tensors if name in inputs})
        for name, array in values.items():
            low, high = float(array.min()), float(array.max())
            if not np.isfinite([low, high]).all():
                raise CalibrationError(
                    f"'{name}' is NaN or infinite on the calibration data",
                    remedy="check the data's preprocessing",
                )
            before = found.get(name, (low, high))
            found[name] = (min(low, before[0]), max(high, before[1]))
        if progress:
            progress("measure ranges", done, total)
    return found


def answer_range(
    model: onnx.ModelProto, tensors: Sequence[str], dataset: Dataset
) -> tuple[float, float]:
    """The range in which spikes must tell answers apart, over all tensors.

    It ends at the largest value, and begins at zero; below it, where the largest value of a sample
    (along axis 1, if there are several) lies below: the answer, not what it exceeds, needs spikes.

    Raises:
        CalibrationError: a value is NaN or infinite.
        DataError: the data do not fit the model.
    """
    executable = StockExecutable(with_outputs(model, list(tensors)), ALL_THREADS)
    low, high = 0.0, -np.inf
    for feeds in dataset.batches(BATCH_SIZE):
        for name, values in zip(tensors, executable.run(list(tensors), feeds), strict=True):
            largest = values.max(axis=1) if values.ndim > 1 else values
            if not np.isfinite(largest).all():
                raise CalibrationError(
                    f"'{name}' is NaN or infinite on the calibration data",
                    remedy="check the data's preprocessing",
                )
            low, high = min(low, float(largest.min())), max(high, float(largest.max()))
    return (low, high) if low < high else (low, low + 1)
