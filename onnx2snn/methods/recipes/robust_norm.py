"""robust-norm: the 99.9th percentile of each layer (Rueckauer 2017)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("robust-norm")(
    Recipe(
        "robust-norm",
        "thresholds at the 99.9th percentile of each layer's activations",
        needs="calibration data",
        costs="seconds; about a hundred steps",
        citation="Rueckauer et al. 2017",
        stages={
            "threshold": "percentile",
            "percentile": 99.9,
            "granularity": "layer",
            "v_init": "zero",
            "avgpool": "linear",
        },
    )
)
