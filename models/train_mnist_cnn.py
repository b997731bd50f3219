"""Train and export a small plain CNN for MNIST: two convolutions, average pools, two dense layers.

It is the classic network of the conversion literature. MNIST itself is not in the repository: the
folder with ``mnist_train.npz`` (arrays ``images`` uint8 [N, 28, 28, 1] and ``labels`` uint8 [N])
is named by the environment variable ONNX2SNN_DATA.
"""

from __future__ import annotations

import torch
import training
from mnist_data import load_mnist
from model_tools import LICENCE, MODELS_DIR
from torch import nn

OUTPUT_FILE = MODELS_DIR / "mnist_cnn_float.onnx"
SEED = 1
SCHEDULE = training.Schedule(epochs=5, batch_size=128, max_learning_rate=0.1)

DOC = (
    "CNN for MNIST: two convolutions with batch normalisation, ReLU and average pooling, then two "
    "dense layers. Input: float32 [N, 1, 28, 28], pixel / 255, in [0, 1]. Output: ten logits. "
    "Batch normalisation is not folded into the convolutions."
)
METADATA = {
    "made_by": "models/train_mnist_cnn.py",
    "licence": LICENCE,
    "data": "MNIST, 60,000 training images",
    "preprocessing": "pixel / 255",
}


class MnistCnn(nn.Module):
    """Two blocks of convolution, batch normalisation, ReLU and average pool; two dense layers."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, 5, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.AvgPool2d(2)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(32 * 4 * 4, 96)
        self.relu3 = nn.ReLU()
        self.dense2 = nn.Linear(96, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        y: torch.Tensor = self.dense2(self.relu3(self.dense1(self.flatten(x))))
        return y


def main() -> None:
    """Train on the 60,000 training images and write the file."""
    training.prepare(SEED)
    images, labels = load_mnist("train")
    model = MnistCnn()
    training.train(model, images, labels, SCHEDULE)
    training.export(model, (1, 28, 28), OUTPUT_FILE, doc=DOC, metadata=METADATA)


if __name__ == "__main__":
    main()
