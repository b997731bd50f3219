"""The handwritten digits of scikit-learn, divided once and for all.

Run as a script, this writes the files that everything else reads: the held-out test images
(shipped with the package for its demo) and the calibration images, which come from the training
part. The division is stratified by class and seeded, so that training, quantization and the demo
agree on which images nobody has learned from.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from model_tools import DEMO_DIR, MODELS_DIR, to_nchw
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

HELDOUT_FILE = DEMO_DIR / "digits_heldout.npz"
CALIBRATION_FILE = MODELS_DIR / "digits_calibration.npz"

PIXEL_MAX = 16.0
N_HELDOUT = 360
N_CALIBRATION = 200
SEED = 2024

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DigitsSplit:
    """Images are uint8 [N, 1, 8, 8] with values 0..16, labels uint8 [N]."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]


def load_split() -> DigitsSplit:
    """Load the 1,797 images and divide them into 1,437 for training and 360 held out."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None, :, :]
    labels = digits.target.astype(np.uint8)
    parts = train_test_split(
        images, labels, test_size=N_HELDOUT, stratify=labels, random_state=SEED
    )
    train_images, test_images, train_labels, test_labels = parts
    return DigitsSplit(train_images, train_labels, test_images, test_labels)


def calibration_images(split: DigitsSplit) -> npt.NDArray[np.uint8]:
    """Choose the calibration images from the training part, stratified by class."""
    chosen, _ = train_test_split(
        split.train_images,
        train_size=N_CALIBRATION,
        stratify=split.train_labels,
        random_state=SEED,
    )
    return np.ascontiguousarray(chosen, dtype=np.uint8)


def main() -> None:
    """Write the held-out and the calibration file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    split = load_split()
    HELDOUT_FILE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(HELDOUT_FILE, images=split.test_images, labels=split.test_labels)
    calibration = to_nchw(calibration_images(split), PIXEL_MAX)
    # The array is named as the network's input, so that the file can be fed as it is.
    np.savez_compressed(CALIBRATION_FILE, input=calibration)
    logger.info("%s: %d images", HELDOUT_FILE.name, len(split.test_images))
    logger.info("%s: %d images", CALIBRATION_FILE.name, len(calibration))


if __name__ == "__main__":
    main()
