"""The networks that are timed, and their spiking forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from common import RESNET20
from vgg16 import vgg16

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation.timing import SpikingTask
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions

CALIBRATION_SAMPLES = 64
VGG_SAMPLES, RESNET_SAMPLES = 8, 16
#: Rows (steps of samples) at once without our package, which chooses them otherwise.
BARE_ROWS = 32
#: Images on which spikes are looked at.
FEW_IMAGES = 2
#: Of every spiking form, unless it says otherwise: what SpikingJelly's neurons can do as well.
COMMON = {"v_init": "half", "granularity": "layer", "avgpool": "linear"}


@dataclass(frozen=True)
class Network:
    """A source network, what it is converted with, and inputs.

    Attributes:
        name: short.
        source: its file.
        images: float32 [N, 3, 32, 32], simulated in every repetition; of long simulations, half.
        data: calibration data and preprocessing, as ``convert`` takes them.
        threshold: the threshold method.
        beside_spikingjelly: the target for our time over SpikingJelly's.
    """

    name: str
    source: Path
    images: np.ndarray
    data: dict[str, Any]
    threshold: str
    beside_spikingjelly: float


def random_vgg(folder: Path) -> Network:
    """VGG-16 with random weights; with maxima as thresholds a tenth of its neurons fire."""
    source = folder / "vgg16.onnx"
    onnx.save(vgg16(seed=0), source)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(CALIBRATION_SAMPLES, 3, 32, 32)).astype(np.float32)
    images = rng.normal(size=(VGG_SAMPLES, 3, 32, 32)).astype(np.float32)
    return Network("VGG-16", source, images, {"calibration_data": data}, "max", 0.8)


def trained_resnet() -> Network:
    """ResNet-20 with its trained weights, thresholds at the 99.9th percentile."""
    infos = SpikingSession(convert(RESNET20.model, 8).model).inputs
    test = open_dataset(RESNET20.test, infos, RESNET20.preprocessing).subset(RESNET_SAMPLES)
    (feeds,) = test.batches(RESNET_SAMPLES)
    data = {"calibration_data": RESNET20.calibration, "preprocessing": RESNET20.preprocessing}
    return Network("ResNet-20", RESNET20.model, feeds["input"], data, "percentile", 0.35)


@dataclass(frozen=True)
class BareTask:
    """Run a file as it is, ``batch`` samples at once: onnxruntime alone, its function bodies."""

    model: Path
    images: np.ndarray
    batch: int

    def load(self) -> Callable[[], object]:
        """The file, loaded."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # it warns that "timesteps" can be fed, as it shall be
        session = onnxruntime.InferenceSession(self.model, options)
        starts = range(0, len(self.images), self.batch)
        parts = [{"input": self.images[i : i + self.batch]} for i in starts]
        return lambda: [session.run(None, part) for part in parts]


class Forms:
    """The spiking forms of a network: files in a folder, and what simulates them."""

    def __init__(self, network: Network, timesteps: int, folder: Path) -> None:
        self.network, self.timesteps, self.folder = network, timesteps, folder

    def plain(self, name: str = "if", **options: Any) -> Path:
        """The network converted with the thresholds' method and these options."""
        given = {**COMMON, "threshold": self.network.threshold, **options}
        return self._convert(name, self.timesteps, given)

    def exact_radix(self) -> Path:
        """The exact spiking form of the network quantized to eight bits; its T is 8."""
        return self._convert("exact-radix", None, {"recipe": "exact-radix", "quantize": 8})

    def simulation(
        self, file: Path, backend: str = "native", threads: int = 1, samples: int | None = None
    ) -> SpikingTask:
        """The task of simulating all images with a file, at its own T.

        ``samples``: so many; the same images again, if there are fewer.
        """
        images = self.network.images
        images = np.resize(images, (samples or len(images), *images.shape[1:]))
        feeds, options = {"input": images}, BackendOptions(threads=threads)
        return SpikingTask(str(file), feeds, SpikingSession(str(file)).timesteps, backend, options)

    def bare(self, file: Path) -> BareTask:
        """The task of running a file without our package, in rows that stay in caches."""
        batch = max(1, BARE_ROWS // self.timesteps)
        return BareTask(file, self.network.images, batch)

    def _convert(self, name: str, timesteps: int | None, options: dict[str, Any]) -> Path:
        path = self.folder / f"{self.network.name}-{self.timesteps}-{name}.snn.onnx"
        convert(self.network.source, timesteps, **self.network.data, **options).save(path)
        return path


def activity(file: Path, images: np.ndarray) -> float:
    """The share of all neurons that fire in a step."""
    trains = SpikingSession(str(file)).trace(images).spikes.values()
    return sum(int(t.sum()) for t in trains) / sum(t.size for t in trains)
