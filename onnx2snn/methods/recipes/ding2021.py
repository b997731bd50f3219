"""ding2021: the rate norm layer's thresholds on a trained network (Ding 2021).

The potential starts at half the threshold, which Ding does not know: without it the code rounds
down.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("ding2021")(
    Recipe(
        "ding2021",
        "thresholds at a share of the maximum, for balance of clipping and sparse rates",
        needs="calibration data",
        costs="seconds; tens of steps",
        citation="Ding et al. 2021",
        stages={
            "threshold": "rnl",
            "granularity": "layer",
            "v_init": "half",
            "avgpool": "linear",
        },
    )
)
