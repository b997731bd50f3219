"""auto: what is best by measurement, given what there is."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("auto")(
    Recipe(
        "auto",
        "plain neurons, thresholds from what the model and the user bring",
        needs="nothing; calibration data help most",
        costs="seconds; any T",
    )
)
