"""exact-asg: averaged spike generation with the quantizers' own levels."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("exact-asg")(
    Recipe(
        "exact-asg",
        "equal to the quantized network: counts, evenly spread over the window, layer after layer",
        needs="quantized activations and weights, or --quantize",
        costs="no calibration; T = the largest integer magnitude, 255 for 8 bits",
        citation="Yan et al. 2022 (value range and ASG)",
        emission="averaged",
    )
)
