"""rnl: a share of the maximum that balances clipping against sparse rates (Ding 2021, eq. 13).

θ = p·max; for each layer p minimises, over activations r clipped at θ,

    1 − cos(r_ANN, r) + λ·Ω(r/θ),    Ω(r) = ‖r‖₁ / ‖r‖₂²,    λ = 0.5

on the histogram of the data. Ding's loss takes the cosine at the network's output and one p for all
layers, trained; a layer's own cosine needs no training and no second pass.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration import SiteStatistics
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.methods.threshold.mmse import activations
from onnx2snn.plan import ActivationSite, ConversionConfig

LAMBDA = 0.5
SHARES = np.arange(2, 101) / 100
TIE = 1e-9


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """P times the maximum of each channel or of the layer, with one p for the layer."""
    if statistics is None:
        return None
    values, counts, tops = activations(statistics, config.granularity)
    losses = np.array([_loss(values, counts, share * tops[:, None]) for share in SHARES])
    # Of equally good ones the largest, which clips least.
    best: Vector = SHARES[losses <= losses.min() + TIE].max() * tops
    return best


def _loss(values: Vector, counts: npt.NDArray[np.int64], theta: Vector) -> float:
    clipped = np.minimum(values, theta)
    rates = clipped / np.where(theta > 0, theta, 1.0)
    norm = np.sqrt((counts * values**2).sum() * (counts * clipped**2).sum())
    cosine = (counts * values * clipped).sum() / norm if norm > 0 else 1.0
    power = (counts * rates**2).sum()
    omega = (counts * rates).sum() / power if power > 0 else 1.0
    return float(1 - cosine + LAMBDA * omega)


THRESHOLDS.register("rnl")(
    ThresholdMethod(
        "rnl",
        "a share of the maximum, against clipping and sparse rates (Ding 2021)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=compute,
    )
)
