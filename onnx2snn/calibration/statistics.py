"""What the network's activations look like on data: maxima and percentiles, in two passes.

The network runs in onnxruntime with every pre-activation as an output, batch by batch; only
per-channel numbers and histograms are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from onnx2snn.calibration.dataset import Dataset
from onnx2snn.calibration.runnable import ALL_THREADS
from onnx2snn.errors import CalibrationError
from onnx2snn.plan import ActivationSite, Progress
from onnx2snn_runtime.backend import Executable
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.instrument import with_outputs

Vector: TypeAlias = npt.NDArray[np.float64]

BATCH_SIZE = 32
BINS = 2048


@dataclass(frozen=True)
class SiteStatistics:
    """Activations of one site above its lower bound, over a data set.

    Attributes:
        maximum: per channel.
        percentile: per channel, of all values, zeros included.
        layer_percentile: over all channels together.
        histogram: int64 [C, bins], each channel's bins evenly from zero to its maximum.
        samples: how many samples were seen.
        data: where they came from.
        synthetic: whether they are made up; then they tell layers apart, but not channels.
        share: of the maximum, that a search over the whole network found; 1 without a search.
    """

    maximum: Vector
    percentile: Vector
    layer_percentile: float
    histogram: npt.NDArray[np.int64]
    samples: int
    data: str
    synthetic: bool = False
    share: float = 1.0


def collect_statistics(
    model: onnx.ModelProto,
    sites: Sequence[ActivationSite],
    dataset: Dataset,
    *,
    percentile: float,
    progress: Progress | None = None,
) -> dict[str, SiteStatistics]:
    """Statistics by site name. The network is the canonical one; pools have none.

    Raises:
        CalibrationError: an activation is NaN or infinite.
        DataError: the data do not fit the model.
    """
    tapped = [s for s in sites if not s.is_pool]
    taps = list(dict.fromkeys(s.source for s in tapped))
    # GraphSurgeon keeps shapes of all tensors, so the taps may be outputs without one.
    executable: Executable = StockExecutable(with_outputs(model, taps), ALL_THREADS)
    total = 2 * -(-len(dataset) // BATCH_SIZE)
    maxima: dict[str, Vector] = {}
    done = 0
    for feeds in dataset.batches(BATCH_SIZE):
        for site, values in zip(tapped, _activations(executable, tapped, taps, feeds), strict=True):
            top = values.max(axis=1)
            if not np.isfinite(top).all():
                raise CalibrationError(
                    "an activation is NaN or infinite on the calibration data",
                    node=f"'{site.name}'",
                    remedy="check the data's preprocessing",
                )
            maxima[site.name] = np.maximum(maxima.get(site.name, 0.0), top)
        done += 1
        if progress:
            progress("calibrate", done, total)
    counts = {s.name: np.zeros((len(maxima[s.name]), BINS), dtype=np.int64) for s in tapped}
    for feeds in dataset.batches(BATCH_SIZE):
        for site, values in zip(tapped, _activations(executable, tapped, taps, feeds), strict=True):
            _count(counts[site.name], values, maxima[site.name])
        done += 1
        if progress:
            progress("calibrate", done, total)
    return {s.name: _summary(counts[s.name], maxima[s.name], percentile, dataset) for s in tapped}


def _activations(
    executable: Executable,
    sites: Sequence[ActivationSite],
    taps: Sequence[str],
    feeds: dict[str, npt.NDArray[np.float32]],
) -> list[npt.NDArray[np.float32]]:
    """Per site [C, values]: the activation above its lower bound."""
    by_name = dict(zip(taps, executable.run(taps, feeds), strict=True))
    out = []
    for site in sites:
        values = by_name[site.source]
        clipped = np.clip(values, site.lower, site.upper) - np.float32(site.lower)
        # Without a channel axis all values are one channel's.
        channels = clipped.shape[1] if clipped.ndim > 1 else 1
        rows = np.moveaxis(clipped, 1, 0) if clipped.ndim > 1 else clipped
        out.append(rows.reshape(channels, -1))
    return out


def _count(counts: npt.NDArray[np.int64], values: npt.NDArray[np.float32], top: Vector) -> None:
    safe = np.where(top > 0, top, 1.0)[:, None]
    bins = np.minimum((values / safe * BINS).astype(np.int64), BINS - 1)
    for channel, chosen in enumerate(bins):
        counts[channel] += np.bincount(chosen, minlength=BINS)


def _summary(
    counts: npt.NDArray[np.int64], top: Vector, percentile: float, dataset: Dataset
) -> SiteStatistics:
    edges = (np.arange(BINS) + 1) / BINS
    share = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    first = (share >= percentile / 100 - 1e-12).argmax(axis=1)
    # A value in the lowest bin may be zero: a channel that is silent so often is silent.
    own = np.where(first == 0, 0.0, edges[first]) * top
    own = np.where((own == 0) & (top > 0), top, own)
    layer = _layer_percentile(counts, top, percentile)
    return SiteStatistics(top, own, layer, counts, len(dataset), dataset.name, dataset.synthetic)


def _layer_percentile(counts: npt.NDArray[np.int64], top: Vector, percentile: float) -> float:
    edges = (np.arange(BINS) + 1) / BINS
    edges[0] = 0.0  # a value in the lowest bin may be zero
    values = (edges * top[:, None]).reshape(-1)
    order = np.argsort(values)
    share = counts.reshape(-1)[order].cumsum() / counts.sum()
    found = float(values[order][(share >= percentile / 100 - 1e-12).argmax()])
    return found if found > 0 else float(top.max())
