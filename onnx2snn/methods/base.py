"""What stages are: thresholds, initial potentials, biases and weights.

A stage may act twice. Before the walk it makes a start, from statistics or from the model alone;
in the walk it may *refine* that, layer by layer, on the spikes that really arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.clipped import ClippedNetwork
from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.signals import Array, Encode
from onnx2snn.calibration.walker import View
from onnx2snn.checkpoint import NOWHERE, Place
from onnx2snn.methods.work import Work
from onnx2snn.plan import ActivationSite, ConversionConfig, LayerCorrection, NeuronPlan, Progress
from onnx2snn.segment import Segment
from onnx2snn_runtime.registry import Registry

Vector: TypeAlias = npt.NDArray[np.float64]
#: From a population to a better one.
Refine: TypeAlias = Callable[[Work, ConversionConfig], Work]
#: Corrected layers of a segment; the population at its end, if there is one.
Correct: TypeAlias = Callable[[View, Work | None, ConversionConfig], Mapping[str, Corrected]]
#: From the network, statistics by site and options to a share of the maximum by site.
Share: TypeAlias = Callable[
    [ClippedNetwork, Mapping[str, SiteStatistics], ConversionConfig], Mapping[str, float]
]


@dataclass(frozen=True)
class ThresholdMethod:
    """A way to choose thresholds.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        needs: what a site must have for it, in words.
        needs_data: whether statistics of activations are needed.
        depends_on_timesteps: whether the start is for one T only; what is refined always is.
        compute: thresholds of a site, one value or one for each channel; zero where a channel is
            dead; None if the site lacks what is needed.
        refine: in the walk, or None.
        needs_twin: whether it compares with a chain of averaged populations.
        share: searches a number for each site, on the network with its activations clipped;
            ``compute`` finds it in the statistics. None where there is nothing to search.
    """

    name: str
    summary: str
    needs: str
    needs_data: bool
    depends_on_timesteps: bool
    compute: Callable[[ActivationSite, SiteStatistics | None, ConversionConfig], Vector | None]
    refine: Refine | None = None
    needs_twin: bool = False
    share: Share | None = None


@dataclass(frozen=True)
class PotentialMethod:
    """A way to choose initial potentials.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        fraction: of the threshold.
        refine: in the walk, or None.
    """

    name: str
    summary: str
    fraction: float
    refine: Refine | None = None


@dataclass(frozen=True)
class BiasMethod:
    """A way to correct biases.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        shift: a current over the whole window, as a fraction of the threshold.
        refine: in the walk, or None.
    """

    name: str
    summary: str
    shift: float = 0.0
    refine: Refine | None = None


@dataclass(frozen=True)
class WeightMethod:
    """A way to correct weights.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        correct: in the walk, or None.
    """

    name: str
    summary: str
    correct: Correct | None = None


@dataclass(frozen=True)
class Calibrated:
    """Populations and layers as calibration leaves them.

    Attributes:
        neurons: one for each site, in their order.
        corrections: of layers.
    """

    neurons: tuple[NeuronPlan, ...]
    corrections: tuple[LayerCorrection, ...] = ()


class Tune(Protocol):
    """Tunes all layers together, after the walk."""

    def __call__(
        self,
        segments: Sequence[Segment],
        start: Calibrated,
        inputs: Mapping[str, Array],
        config: ConversionConfig,
        progress: Progress | None,
        encoders: Mapping[str, Encode],
        place: Place = NOWHERE,
    ) -> Calibrated:
        """The whole network, better on the inputs.

        Args:
            segments: the network, cut at its populations.
            start: what the walk found.
            inputs: [N, ...] by name.
            config: what was asked for.
            progress: called with the loss.
            encoders: of what enters time as spikes, by name.
            place: where the state is kept, to go on from after an interruption.

        Raises:
            NoGradientError: an operator has no gradient.
        """
        ...


@dataclass(frozen=True)
class TuningMethod:
    """A way to tune all layers together.

    Attributes:
        name: as users write it.
        summary: one line, with the source.
        tune: after the walk, or None.
    """

    name: str
    summary: str
    tune: Tune | None = None


THRESHOLDS: Registry[ThresholdMethod] = Registry("threshold method", "onnx2snn.methods.threshold")
POTENTIALS: Registry[PotentialMethod] = Registry("initial potential", "onnx2snn.methods.potential")
BIASES: Registry[BiasMethod] = Registry("bias method", "onnx2snn.methods.bias")
WEIGHTS: Registry[WeightMethod] = Registry("weight method", "onnx2snn.methods.weights")
TUNINGS: Registry[TuningMethod] = Registry("tuning", "onnx2snn.methods.tuning")
