"""max-norm: the largest activation of each layer (Diehl 2015, Rueckauer 2017)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("max-norm")(
    Recipe(
        "max-norm",
        "thresholds at the largest activation: nothing is clipped, many steps are needed",
        needs="calibration data",
        costs="seconds; hundreds of steps",
        citation="Diehl et al. 2015; Rueckauer et al. 2017",
        stages={
            "threshold": "max",
            "granularity": "layer",
            "v_init": "zero",
            "avgpool": "linear",
        },
    )
)
