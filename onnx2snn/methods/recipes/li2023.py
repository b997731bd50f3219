"""li2023: IC-SNN: initial potentials from the data, with coding compensation (Li 2023)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("li2023")(
    Recipe(
        "li2023",
        "initial potentials from the residues on the data, compensated",
        needs="calibration data",
        costs="seconds; tens of steps",
        citation="Li et al. 2023 (IC-SNN)",
        stages={
            "threshold": "percentile",
            "percentile": 99.0,
            "granularity": "layer",
            "v_init": "ic-compensated",
            "avgpool": "linear",
        },
    )
)
