"""shift: the rate code rounds to nearest by a shift of the bias (Deng and Gu 2021)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("shift")(
    Recipe(
        "shift",
        "thresholds at the maximum, and half a threshold of bias over the window",
        needs="calibration data",
        costs="seconds; about a hundred steps",
        citation="Deng and Gu 2021",
        stages={
            "threshold": "max",
            "granularity": "layer",
            "v_init": "zero",
            "bias": "shift",
            "avgpool": "linear",
        },
    )
)
