"""rmp: residual membrane potentials, thresholds scaled down (Han 2020)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("rmp")(
    Recipe(
        "rmp",
        "soft reset, thresholds scaled down to the largest mean current",
        needs="calibration data",
        costs="seconds; about a hundred steps",
        citation="Han et al. 2020",
        stages={
            "threshold": "rmp",
            "granularity": "layer",
            "v_init": "zero",
            "avgpool": "linear",
        },
    )
)
