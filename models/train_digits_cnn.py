"""Train and export the small residual network for 8x8 digits that the demo is made from.

It has what a converter must master, in a file that fits into a package: convolutions with
unfused batch normalisation, an identity shortcut, average pooling and a classifier. Run
``digits_data.py`` for the images and ``quantize_digits_cnn.py`` for the int8 versions.
"""

from __future__ import annotations

import torch
import training
from digits_data import PIXEL_MAX, load_split
from model_tools import LICENCE, MODELS_DIR, to_nchw
from torch import nn

OUTPUT_FILE = MODELS_DIR / "digits_cnn_float.onnx"
SEED = 1
SCHEDULE = training.Schedule(epochs=40, batch_size=64, max_learning_rate=0.1, label_smoothing=0.05)

DOC = (
    "Residual CNN for the 8x8 handwritten digits of scikit-learn (load_digits). "
    "Input: float32 [N, 1, 8, 8], pixel / 16, in [0, 1]. Output: ten logits, one per digit. "
    "Batch normalisation is not folded into the convolutions."
)
METADATA = {
    "made_by": "models/train_digits_cnn.py",
    "licence": LICENCE,
    "data": "UCI Optical Recognition of Handwritten Digits, CC BY 4.0, through scikit-learn",
    "preprocessing": "pixel / 16",
}


class ConvBn(nn.Module):
    """A padded 3x3 convolution without bias, followed by batch normalisation."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        """Make the layers."""
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve and normalise."""
        y: torch.Tensor = self.bn(self.conv(x))
        return y


class ConvBnRelu(ConvBn):
    """The same with a ReLU at the end."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        """Make the layers."""
        super().__init__(channels_in, channels_out)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, normalise and rectify."""
        y: torch.Tensor = self.relu(super().forward(x))
        return y


class ResidualBlock(nn.Module):
    """Two convolutions around an identity shortcut, with a ReLU after the addition."""

    def __init__(self, channels: int) -> None:
        """Make the layers."""
        super().__init__()
        self.first = ConvBnRelu(channels, channels)
        self.second = ConvBn(channels, channels)
        self.add = training.Add()
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return relu(x + f(x))."""
        y: torch.Tensor = self.relu(self.add(self.second(self.first(x)), x))
        return y


class DigitsCnn(nn.Module):
    """Stem, residual block, average pool, convolution, global average pool, classifier."""

    def __init__(self, width: int = 24, top_width: int = 32) -> None:
        """Make the layers."""
        super().__init__()
        self.stem = ConvBnRelu(1, width)
        self.block = ResidualBlock(width)
        self.pool = nn.AvgPool2d(2)
        self.top = ConvBnRelu(width, top_width)
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(top_width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        features = self.top(self.pool(self.block(self.stem(x))))
        y: torch.Tensor = self.classifier(self.flatten(self.global_pool(features)))
        return y


def main() -> None:
    """Train on the training part only and write the file."""
    training.prepare(SEED)
    split = load_split()
    model = DigitsCnn()
    training.train(model, to_nchw(split.train_images, PIXEL_MAX), split.train_labels, SCHEDULE)
    training.export(model, (1, 8, 8), OUTPUT_FILE, doc=DOC, metadata=METADATA)


if __name__ == "__main__":
    main()
