"""opi: optimized potential initialization: half the threshold (Bu 2022)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("opi")(
    Recipe(
        "opi",
        "potentials start at half the threshold, thresholds at the 99.9th percentile",
        needs="calibration data",
        costs="seconds; tens of steps",
        citation="Bu et al. 2022",
        stages={
            "threshold": "percentile",
            "percentile": 99.9,
            "granularity": "layer",
            "v_init": "half",
            "avgpool": "linear",
        },
    )
)
