"""gaussian: from batch norm's statistics alone, the best threshold for T levels.

Batch norm says that a pre-activation x is about N(μ, σ²) with μ = β and σ = |γ|. The rate code has
T levels of step s = θ/T; level i is reached from the bound b_i = (i − r)·s on, where r is the
initial potential as a share of the threshold. With Q_i = P(x ≥ b_i) and the density φ_i of the
standard normal at (b_i − μ)/σ, the mean squared error against max(0, x) is, but for a constant::

    J(θ) = s²·Σ (2i − 1)·Q_i − 2·s·Σ (μ·Q_i + σ·φ_i),    i = 1 … T

J can have several local minima, so the smallest of some candidates is refined. The result is for
one T.
"""

from __future__ import annotations

from math import erf, pi, sqrt

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import POTENTIALS, THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig

CANDIDATES = 64
#: Golden sections; the interval shrinks by 0.618 each time, to about 1e-5 standard deviations.
SECTIONS = 20
#: Levels beyond which the threshold hardly moves; keeps the sums short.
MOST_LEVELS = 256
#: A channel whose mean lies this many standard deviations below zero never fires.
DEAD = -5.0
#: The best threshold lies between these: standard deviations below the mean, above max(0, mean),
#: and above zero.
BELOW, ABOVE, LEAST = 4.0, 6.0, 0.05

#: erf at places _STEP apart, for the Taylor series in :func:`_erf`.
_STEP, _LAST = 1 / 256, 6 * 256
_ERF = np.array([erf(k * _STEP) for k in range(-_LAST, _LAST + 1)])


def best_thresholds(mean: Vector, std: Vector, levels: int, rounding: float = 0.5) -> Vector:
    """The thresholds of least error for all channels; zero for channels that never fire.

    Args:
        mean: [C] means of the pre-activations.
        std: [C] standard deviations; where it is zero the threshold is the mean.
        levels: T.
        rounding: initial potential as a share of the threshold.
    """
    spread = np.where(std > 0, std, 1.0)
    low = np.maximum(mean - BELOW * spread, LEAST * spread)
    high = np.maximum(mean, 0.0) + ABOVE * spread

    def error(theta: Vector) -> Vector:
        return _error(theta, mean, spread, levels, rounding)

    grid = low + (high - low) * np.linspace(0, 1, CANDIDATES)[:, None]
    middle = grid[np.argmin([error(theta) for theta in grid], axis=0), np.arange(len(mean))]
    step = (high - low) / (CANDIDATES - 1)
    left, right = np.maximum(middle - step, low), np.minimum(middle + step, high)
    golden = (sqrt(5) - 1) / 2
    for _ in range(SECTIONS):
        a, b = right - golden * (right - left), left + golden * (right - left)
        go_left = error(a) < error(b)
        left, right = np.where(go_left, left, a), np.where(go_left, b, right)
    theta = np.where(std > 0, (left + right) / 2, np.maximum(mean, 0.0))
    return np.where(mean < DEAD * std, 0.0, theta)


def _error(theta: Vector, mean: Vector, std: Vector, levels: int, rounding: float) -> Vector:
    """J, for one threshold per channel."""
    i = np.arange(1, levels + 1)[:, None]
    step = theta / levels
    z = ((i - rounding) * step - mean) / std
    reached = (1 - _erf(z / sqrt(2))) / 2
    density = np.exp(-(z**2) / 2) / sqrt(2 * pi)
    squares: Vector = step**2 * ((2 * i - 1) * reached).sum(axis=0)
    products: Vector = 2 * step * (mean * reached + std * density).sum(axis=0)
    return squares - products


def _erf(u: Vector) -> Vector:
    """erf, exact to about 1e-11: NumPy has none."""
    u = np.clip(u, -6.0, 6.0)
    place = np.rint(u / _STEP).astype(np.int64)
    x = place * _STEP
    d = u - x
    slope = 2 / sqrt(pi) * np.exp(-(x**2))
    value: Vector = _ERF[place + _LAST] + slope * d * (1 - x * d + (2 * x**2 - 1) * d**2 / 3)
    return value


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """Per channel, or the largest channel's for the layer."""
    if site.mean is None or site.std is None:
        return None
    means = site.mean.astype(np.float64) - site.lower
    best = best_thresholds(
        means,
        site.std.astype(np.float64),
        min(config.timesteps, MOST_LEVELS),
        POTENTIALS.get(config.v_init).fraction,
    )
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
