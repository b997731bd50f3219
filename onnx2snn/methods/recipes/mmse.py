"""mmse: the thresholds of least squared error, and nothing else."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("mmse")(
    Recipe(
        "mmse",
        "channel thresholds of least squared error, potentials at half of them",
        needs="calibration data",
        costs="seconds; tens of steps",
        citation="thresholds: Li et al. 2021; potentials: Bu et al. 2022",
        stages={
            "threshold": "mmse",
            "granularity": "channel",
            "v_init": "half",
            "avgpool": "linear",
        },
    )
)
