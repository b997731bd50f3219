"""li2021-light: the light pipeline of SNN calibration (Li 2021).

Li applies a bias shift of θ/(2T) first; half the threshold as initial potential is the same amount.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("li2021-light")(
    Recipe(
        "li2021-light",
        "channel thresholds of least squared error, bias calibration",
        needs="calibration data",
        costs="seconds; tens of steps",
        citation="Li et al. 2021",
        stages={
            "threshold": "mmse",
            "granularity": "channel",
            "v_init": "half",
            "bias": "calibrate",
            "avgpool": "linear",
        },
    )
)
