"""More samples from the same images: mirrored copies and small shifts.

The source network is the teacher, so whatever it is shown is a valid sample: no label must survive
the change. Inputs [N, C, H, W] with H and W above 1 are images; others stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.signals import Array

#: The choice that leaves samples as they are.
NO_AUGMENTATION = "none"
#: The farthest shift along an axis, as a share of its length.
FARTHEST = 1 / 16


def with_mirrored(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every sample, followed by its mirrored copy, [2N, ...]; as it is where none is an image."""
    if not any(map(_is_image, inputs.values())):
        return dict(inputs)
    return {name: _doubled(values) for name, values in inputs.items()}


def flipped_and_cropped(inputs: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """A batch of the same size: each image mirrored or not, and shifted, at random.

    What a shift leaves empty repeats the image's edge. All inputs of a sample change alike.

    Args:
        inputs: [N, ...] by name.
        rng: what to draw from.
    """
    samples = len(next(iter(inputs.values())))
    mirrored = rng.random(samples) < 0.5
    shifts = rng.uniform(-FARTHEST, FARTHEST, (samples, 2))
    return {
        name: _changed(values, mirrored, shifts) if _is_image(values) else values
        for name, values in inputs.items()
    }


def _is_image(values: Array) -> bool:
    return values.ndim == 4 and min(values.shape[2:]) > 1


def _doubled(values: Array) -> Array:
    copies = values[..., ::-1] if _is_image(values) else values
    return np.stack([values, copies], axis=1).reshape(-1, *values.shape[1:])


def _changed(
    values: Array, mirrored: npt.NDArray[np.bool_], shifts: npt.NDArray[np.float64]
) -> Array:
    height, width = values.shape[2:]
    changed = np.empty_like(values)
    for at, (image, mirror, (down, right)) in enumerate(zip(values, mirrored, shifts, strict=True)):
        rows = np.clip(np.arange(height) + round(down * height), 0, height - 1)
        columns = np.clip(np.arange(width) + round(right * width), 0, width - 1)
        changed[at] = image[:, rows[:, None], columns[::-1] if mirror else columns]
    return changed
