"""exact-radix: the bits of the integers, most significant first."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("exact-radix")(
    Recipe(
        "exact-radix",
        "equal to the quantized network at T = number of bits: bit-serial, layer after layer",
        needs="quantized activations and weights, or --quantize",
        costs="no calibration; T = 8 for an int8 network",
        emission="radix",
    )
)
