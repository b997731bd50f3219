"""The ImageNet sample of the data folder as the MobileNet wants it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from common import DATA

try:
    from PIL import Image
except ImportError:
    Image = None

SIDE, SHARE = 128, 0.875


def archives(folder: Path) -> tuple[Path, Path]:
    """Where :func:`imagenet` writes: images for testing, and for calibration."""
    return folder / "imagenet_test.npz", folder / "imagenet_calibration.npz"


def imagenet(folder: Path) -> tuple[Path, Path] | None:
    """Archives for testing and for calibration, 250 images each; None without Pillow.

    Centre crop of 87.5 %, resized to 128 by 128.

    Args:
        folder: the archives are written here.
    """
    if Image is None:
        return None
    images, labels = [], []
    sample = DATA / "imagenet_sample"
    with (sample / "labels.csv").open() as text:
        for row in csv.DictReader(text):
            image = Image.open(sample / row["file"]).convert("RGB")
            side = round(min(image.size) * SHARE)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            cut = image.crop((left, top, left + side, top + side))
            images.append(np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.BILINEAR)))
            labels.append(int(row["class_index"]) + 1)
    for start, path in enumerate(archives(folder)):
        np.savez(path, images=np.stack(images[start::2]), labels=np.array(labels[start::2]))
    return archives(folder)
