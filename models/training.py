"""Training and export shared by the reference networks; needs torch (development only).

The networks are exported the way users' files often look: batch normalisation as nodes of its
own, not folded into the convolutions, because finding and folding them is the converter's work.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import model_tools
import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn

OPSET = 17

logger = logging.getLogger(__name__)


class Add(nn.Module):
    """Addition as a module, so that the exported node gets a name of its own."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        return left + right


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: SGD with Nesterov momentum under a one-cycle learning rate."""

    epochs: int
    batch_size: int
    max_learning_rate: float
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    shift: int = 1


def prepare(seed: int) -> None:
    """Fix the seed and the number of threads; both influence the last digits of the weights."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)


def shift_randomly(images: torch.Tensor, distance: int) -> torch.Tensor:
    """Move every image of [N, 1, H, W] by up to ``distance`` pixels, filling with zeros."""
    n, _, height, width = images.shape
    padded = nn.functional.pad(images, (distance,) * 4)[:, 0]
    top, left = torch.randint(0, 2 * distance + 1, (2, n))
    rows = (top[:, None] + torch.arange(height))[:, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, :]
    return padded[torch.arange(n)[:, None, None], rows, columns][:, None]


def train(
    model: nn.Module,
    inputs: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    schedule: Schedule,
) -> None:
    """Train a classifier in place and leave it in evaluation mode."""
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels.astype(np.int64))
    steps = -(-len(x) // schedule.batch_size)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=schedule.max_learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=schedule.weight_decay,
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.max_learning_rate, epochs=schedule.epochs, steps_per_epoch=steps
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=schedule.label_smoothing)
    model.train()
    for epoch in range(1, schedule.epochs + 1):
        total = 0.0
        for indices in torch.split(torch.randperm(len(x)), schedule.batch_size):
            optimizer.zero_grad()
            batch = shift_randomly(x[indices], schedule.shift)
            loss = loss_of(model(batch), y[indices])
            loss.backward()
            optimizer.step()
            rate.step()
            total += float(loss.detach()) * len(indices)
        logger.info("epoch %d of %d: loss %.4f", epoch, schedule.epochs, total / len(x))
    model.eval()


def export(
    model: nn.Module,
    sample_shape: tuple[int, ...],
    path: Path,
    *,
    doc: str,
    metadata: Mapping[str, str],
) -> None:
    """Write a trained network as an ONNX file with a dynamic batch axis and readable names."""
    exported = _export_unfused(model, sample_shape)
    _use_module_names(exported)
    model_tools.tidy(exported, name=path.stem, doc=doc, metadata=metadata)
    model_tools.save(exported, path)
    logger.info("%s: %d bytes", path.name, path.stat().st_size)


def _export_unfused(model: nn.Module, sample_shape: tuple[int, ...]) -> onnx.ModelProto:
    """Export in evaluation mode; PRESERVE keeps the exporter from folding batch normalisation."""
    buffer = io.BytesIO()
    model.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            (torch.zeros(2, *sample_shape),),
            buffer,  # type: ignore[arg-type]
            input_names=[model_tools.INPUT_NAME],
            output_names=[model_tools.OUTPUT_NAME],
            dynamic_axes={
                model_tools.INPUT_NAME: {0: model_tools.BATCH_AXIS},
                model_tools.OUTPUT_NAME: {0: model_tools.BATCH_AXIS},
            },
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    return onnx.load_from_string(buffer.getvalue())


def _use_module_names(model: onnx.ModelProto) -> None:
    """Replace names such as ``/stem/conv/Conv`` and ``/stem/conv/Conv_output_0`` by ``stem.conv``.

    Every operator of these networks belongs to a module of its own, so the module's name is enough.
    """
    names: dict[str, str] = {}
    for node in model.graph.node:
        node.name = node.name.strip("/").rpartition("/")[0].replace("/", ".")
        if node.output[0] != model_tools.OUTPUT_NAME:
            names[node.output[0]] = f"{node.name}.out"
    model_tools.rename_values(model, names)
