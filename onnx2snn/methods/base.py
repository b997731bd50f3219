"""What a threshold method and an initial-potential method are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration import SiteStatistics
from onnx2snn.plan import ActivationSite, ConversionConfig
from onnx2snn_runtime.registry import Registry

Vector: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ThresholdMethod:
    """A way to choose thresholds.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        needs: what a site must have for it, in words.
        needs_data: whether statistics of activations are needed.
        depends_on_timesteps: whether the result is for one T only.
        compute: thresholds of a site, one value or one for each channel; zero where a channel is
            dead; None if the site lacks what is needed.
    """

    name: str
    summary: str
    needs: str
    needs_data: bool
    depends_on_timesteps: bool
    compute: Callable[[ActivationSite, SiteStatistics | None, ConversionConfig], Vector | None]


@dataclass(frozen=True)
class PotentialMethod:
    """A way to choose initial potentials.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        fraction: of the threshold.
    """

    name: str
    summary: str
    fraction: float


THRESHOLDS: Registry[ThresholdMethod] = Registry("threshold method", "onnx2snn.methods.threshold")
POTENTIALS: Registry[PotentialMethod] = Registry("initial potential", "onnx2snn.methods.potential")
