"""spike-norm: the largest current of any step, layer by layer (Sengupta 2019)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("spike-norm")(
    Recipe(
        "spike-norm",
        "thresholds at the largest current that spikes deliver in any step",
        needs="calibration data",
        costs="seconds; hundreds of steps",
        citation="Sengupta et al. 2019",
        stages={
            "threshold": "spike-norm",
            "granularity": "layer",
            "v_init": "zero",
            "avgpool": "linear",
        },
    )
)
