"""mmse: the threshold with the least squared error of the rate code (Li 2021, eq. 11).

For each channel (or layer) and each of 100 candidates θ on (0, max]::

    error(θ) = Σ_a (a − (θ/T)·clip(floor(a·T/θ + r), 0, T))²

over the activations a on the data, held as a histogram. Li 2021 rounds down (r = 0); with an
initial potential of half a threshold the neuron rounds to nearest (r = ½), so the form that will
really run is minimised. The result is for one T.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import BIASES, POTENTIALS, THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig

CANDIDATES = 100
#: Histogram bins are merged to so many: finer ones change no candidate's rank.
BINS = 512


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """The best candidate per channel, or for the layer."""
    if statistics is None:
        return None
    rounding = POTENTIALS.get(config.v_init).fraction + BIASES.get(config.bias).shift
    values, counts, tops = activations(statistics, config.granularity)
    return best_thresholds(values, counts, tops, config.timesteps, rounding)


def activations(
    statistics: SiteStatistics, granularity: str
) -> tuple[Vector, npt.NDArray[np.int64], Vector]:
    """Values [C, bins], how often they occur, and maxima [C]; C = 1 for granularity "layer"."""
    counts = _merged(statistics.histogram)
    tops = statistics.maximum
    values = _centres() * tops[:, None]
    if granularity == "layer":
        return values.reshape(1, -1), counts.reshape(1, -1), tops.max(keepdims=True)
    return values, counts, tops


def best_thresholds(
    values: Vector, counts: npt.NDArray[np.int64], tops: Vector, levels: int, rounding: float
) -> Vector:
    """The best candidates.

    Args:
        values: [C, bins] activations.
        counts: [C, bins] how often they occur.
        tops: [C] largest activation; zero where the channel is dead.
        levels: T.
        rounding: 0 rounds down, ½ to nearest.

    Returns:
        [C] thresholds, zero for dead channels.
    """
    best = np.zeros_like(tops)
    least = np.full_like(tops, np.inf)
    for fraction in np.arange(1, CANDIDATES + 1) / CANDIDATES:
        step = np.where(tops > 0, tops * fraction / levels, 1.0)[:, None]
        coded = step * np.clip(np.floor(values / step + rounding), 0, levels)
        error = (counts * (values - coded) ** 2).sum(axis=1)
        better = (error < least) & (tops > 0)
        best[better], least[better] = (tops * fraction)[better], error[better]
    return best


def _merged(histogram: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    merged: npt.NDArray[np.int64] = histogram.reshape(len(histogram), BINS, -1).sum(axis=2)
    return merged


def _centres() -> Vector:
    """Bin centres of a channel whose maximum is one; the lowest bin stands for silence."""
    centres = (np.arange(BINS) + 0.5) / BINS
    centres[0] = 0.0
    return centres


THRESHOLDS.register("mmse")(
    ThresholdMethod(
        "mmse",
        "least squared error of the rate code on the data (Li 2021)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=True,
        compute=compute,
    )
)
