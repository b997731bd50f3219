"""gaussian: from batch norm's statistics alone, the best threshold for T levels.

Batch norm says that a pre-activation is about N(μ, σ²) with μ = β and σ = |γ|. For it, the
threshold θ that minimises the mean squared error of the rate code with T levels of step θ/T and
half a step of rounding has a closed-form fixed point θ ← k·θ, with
u_i = ((2i − 1)·θ/(2T) − μ)/(√2·σ), i = 1 … T, and

    k = [ (μT/θ)·(T − Σ erf u_i) + σ·√(2/π)·(T/θ)·Σ exp(−u_i²) ] / [ T² − Σ (2i − 1)·erf u_i ]

The result is for one T.
"""

from __future__ import annotations

from math import erf, pi, sqrt

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig

ITERATIONS = 200
TOLERANCE = 1e-6
#: Levels beyond which the threshold hardly moves; keeps the sums short.
MOST_LEVELS = 256
#: A channel whose mean lies this many standard deviations below zero never fires.
DEAD = -5.0

#: erf by interpolation, exact to about 1e-6: NumPy has none.
_GRID = np.linspace(-6.0, 6.0, 4001)
_ERF = np.array([erf(x) for x in _GRID])


def best_thresholds(mean: Vector, std: Vector, levels: int) -> Vector:
    """The fixed points for all channels; zero for channels that never fire."""
    dead = mean < DEAD * std
    spread = np.where(std > 0, std, 1.0)
    odd = (2 * np.arange(1, levels + 1) - 1)[:, None]
    theta = np.maximum(mean, 0.0) + 3 * spread
    for _ in range(ITERATIONS):
        u = (odd * theta / (2 * levels) - mean) / (sqrt(2) * spread)
        e = np.interp(u, _GRID, _ERF)
        top = (mean * levels / theta) * (levels - e.sum(axis=0))
        top += spread * sqrt(2 / pi) * (levels / theta) * np.exp(-(u**2)).sum(axis=0)
        bottom = levels**2 - (odd * e).sum(axis=0)
        # For channels that hardly fire both sums are rounding noise; they are masked below.
        k = np.where((bottom > 0) & ~dead, top / np.where(bottom > 0, bottom, 1.0), 1.0)
        theta = theta * k
        if np.abs(k - 1).max() < TOLERANCE:
            break
    theta = np.where(std > 0, theta, np.maximum(mean, 0.0))
    return np.where(dead | ~np.isfinite(theta), 0.0, theta)


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """Per channel, or the largest channel's for the layer."""
    if site.mean is None or site.std is None:
        return None
    levels = min(config.timesteps, MOST_LEVELS)
    means = site.mean.astype(np.float64) - site.lower
    best = best_thresholds(means, site.std.astype(np.float64), levels)
    return best if config.granularity == "channel" else best.max(keepdims=True)


THRESHOLDS.register("gaussian")(
    ThresholdMethod(
        "gaussian",
        "least squared error for T levels of a normal distribution, from batch norm",
        "batch norm in front of the activations",
        needs_data=False,
        depends_on_timesteps=True,
        compute=compute,
    )
)
