"""li2021-advanced: the advanced pipeline of SNN calibration (Li 2021)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("li2021-advanced")(
    Recipe(
        "li2021-advanced",
        "channel thresholds of least squared error, potential and weight calibration",
        needs="calibration data",
        costs="a minute; tens of steps",
        citation="Li et al. 2021",
        stages={
            "threshold": "mmse",
            "granularity": "channel",
            "v_init": "calibrate",
            "weights": "calibrate-sgd",
            "avgpool": "linear",
        },
    )
)
