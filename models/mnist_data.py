"""Reads MNIST from the folder named by ONNX2SNN_DATA; the images are not in the repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from model_tools import REPOSITORY, FloatArray, to_nchw

DATA_VARIABLE = "ONNX2SNN_DATA"
DEFAULT_FOLDER = Path("..", "shared", "data")

PIXEL_MAX = 255.0


def mnist_file(part: Literal["train", "test"]) -> Path:
    """Return the path of one part; a relative folder is taken from the repository root."""
    folder = REPOSITORY / os.environ.get(DATA_VARIABLE, DEFAULT_FOLDER)
    path = folder / f"mnist_{part}.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} not found: set {DATA_VARIABLE} to the folder with mnist_train.npz and "
            "mnist_test.npz (arrays images uint8 [N, 28, 28, 1] and labels uint8 [N])"
        )
    return path


def load_mnist(part: Literal["train", "test"]) -> tuple[FloatArray, npt.NDArray[np.uint8]]:
    """Return the network's inputs, float32 [N, 1, 28, 28] in [0, 1], and the labels."""
    with np.load(mnist_file(part), allow_pickle=False) as archive:
        return to_nchw(archive["images"], PIXEL_MAX), archive["labels"]
