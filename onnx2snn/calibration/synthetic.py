"""Stand-ins for calibration data: smooth random inputs in the model's range.

Natural images have most of their energy in low frequencies, about 1/f in amplitude; so have
these. They know nothing of the network's task: thresholds from them are a guess.
"""

from __future__ import annotations

from math import prod

import numpy as np

from onnx2snn.calibration.archive import Array, MemoryRows
from onnx2snn.calibration.dataset import Dataset
from onnx2snn.errors import CalibrationError
from onnx2snn_runtime.inputs import TensorInfo

SAMPLES = 64
#: For a symbolic length that is not the batch.
FREE_LENGTH = 32
LARGEST = 2**26


def synthetic_dataset(
    infos: tuple[TensorInfo, ...],
    value_range: tuple[float, float],
    seed: int,
    samples: int = SAMPLES,
) -> Dataset:
    """So many random samples for every input.

    Raises:
        CalibrationError: an input has an element type or a size that cannot be made up.
    """
    rng = np.random.default_rng(seed)
    inputs = {}
    for info in infos:
        shape = tuple(d if isinstance(d, int) else FREE_LENGTH for d in info.shape[1:])
        possible = info.shape and info.dtype.kind in "fui" and min(shape, default=1) > 0
        if not possible or prod(shape) * samples > LARGEST:
            raise CalibrationError(
                f"no synthetic data can be made for input '{info.name}'",
                remedy="pass calibration data",
            )
        inputs[info.name] = MemoryRows(
            _smooth(rng, (samples, *shape), value_range).astype(info.dtype)
        )
    return Dataset(inputs, {i.name: i for i in infos}, name="synthetic inputs", synthetic=True)


def _smooth(
    rng: np.random.Generator, shape: tuple[int, ...], value_range: tuple[float, float]
) -> Array:
    noise = rng.standard_normal(shape)
    axes = tuple(range(2, noise.ndim))
    if axes:
        grids = np.meshgrid(*(np.fft.fftfreq(noise.shape[a]) for a in axes), indexing="ij")
        radius = np.sqrt(sum(g**2 for g in grids))
        lowest = 1 / max(noise.shape[a] for a in axes)
        noise = np.fft.ifftn(np.fft.fftn(noise, axes=axes) / (radius + lowest), axes=axes).real
    inner = tuple(range(1, noise.ndim))
    spread = noise.std(axis=inner, keepdims=True)
    noise = (noise - noise.mean(axis=inner, keepdims=True)) / np.where(spread > 0, spread, 1)
    # Brightness differs from sample to sample as well.
    noise += rng.standard_normal((len(noise),) + (1,) * len(inner)) / 2
    low, high = value_range
    return np.asarray(np.clip((low + high) / 2 + noise * (high - low) / 4, low, high))
