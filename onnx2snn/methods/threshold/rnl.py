"""rnl: one share of the maximum for all layers, against clipping and sparse rates (Ding 2021).

θ_l = p·max_l for every layer l; p minimises, over the data (eq. 13),

    1 − cos(f(x), f_p(x)) + λ·mean_l Ω(r_l),    Ω(r) = ‖r‖₁ / ‖r‖₂²,    λ = 0.5

f is the network, f_p the same with every activation clipped at θ_l, and r_l = a_l/θ_l are the rates
of layer l in f_p. Ω is Ding's rate inference loss (RIL): the spikes' error after t steps is below
2Ω/t (theorem 2), so small rates are slow. Ding trains p with weights fixed; one number is found by
search. Cosine and Ω are those of each sample, averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.clipped import ClippedNetwork
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig

LAMBDA = 0.5
#: The search begins with these shares, and then halves the interval around the best so often.
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
HALVINGS = 3


def compute(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> Vector | None:
    """The layer's share of the maximum of each channel, or of the layer."""
    if statistics is None:
        return None
    return statistics.share * _tops(statistics, config)


def share(
    network: ClippedNetwork, statistics: Mapping[str, SiteStatistics], config: ConversionConfig
) -> dict[str, float]:
    """The p of least loss, the same for all layers."""
    best = least(lambda p: loss(network, statistics, dict.fromkeys(statistics, p), config))
    return dict.fromkeys(statistics, best)


def loss(
    network: ClippedNetwork,
    statistics: Mapping[str, SiteStatistics],
    shares: Mapping[str, float],
    config: ConversionConfig,
) -> float:
    """Eq. 13 for the shares of all layers."""
    limits = {name: shares[name] * _tops(known, config) for name, known in statistics.items()}
    clipped = network.run(limits)
    return 1 - clipped.cosine + LAMBDA * clipped.rate_inference_loss


def least(loss: Callable[[float], float]) -> float:
    """The share of least loss: of a grid, then between the neighbours of the best."""
    losses = {p: loss(p) for p in SHARES}
    best = min(losses, key=losses.__getitem__)
    for _ in range(HALVINGS):
        known = sorted(losses)
        at = known.index(best)
        for other in known[max(at - 1, 0) : at + 2]:
            middle = (best + other) / 2
            if middle not in losses:
                losses[middle] = loss(middle)
        best = min(losses, key=losses.__getitem__)
    return best


def _tops(statistics: SiteStatistics, config: ConversionConfig) -> Vector:
    layer = config.granularity == "layer" or statistics.synthetic
    return statistics.maximum.max(keepdims=True) if layer else statistics.maximum


THRESHOLDS.register("rnl")(
    ThresholdMethod(
        "rnl",
        "one share of the maximum for all layers, against clipping and sparse rates (Ding 2021)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=compute,
        share=share,
    )
)
