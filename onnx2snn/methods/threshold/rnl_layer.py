"""rnl-layer: as rnl, then a share of the maximum for each layer (after Ding 2021, eq. 13).

Ding defines a p for each layer, and trains one for all against instability. Here layers move one
after the other, first to last, up or down by a fifth, where the network's loss shrinks. A layer
cannot choose by a loss of its own: Ω outweighs the cosine, and the errors of all layers add up
(docs/decisions/0030).
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.clipped import ClippedNetwork
from onnx2snn.methods.base import THRESHOLDS, ThresholdMethod
from onnx2snn.methods.threshold import rnl
from onnx2snn.plan import ConversionConfig

MOVES = (1.25, 0.8)


def share(
    network: ClippedNetwork, statistics: Mapping[str, SiteStatistics], config: ConversionConfig
) -> dict[str, float]:
    """The p of each layer."""
    best = rnl.share(network, statistics, config)
    least = rnl.loss(network, statistics, best, config)
    for name in statistics:
        for move in MOVES:
            moved = {**best, name: min(best[name] * move, 1.0)}
            found = rnl.loss(network, statistics, moved, config)
            if found < least:
                best, least = moved, found
    return best


THRESHOLDS.register("rnl-layer")(
    ThresholdMethod(
        "rnl-layer",
        "as rnl, then a share for each layer (after Ding 2021)",
        "calibration data",
        needs_data=True,
        depends_on_timesteps=False,
        compute=rnl.compute,
        share=share,
    )
)
