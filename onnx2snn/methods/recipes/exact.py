"""exact: spiking neurons that settle at the integers of a quantized network."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("exact")(
    Recipe(
        "exact",
        "equal to the quantized network once settled: signed spikes of one unit, a spike tracer",
        needs="quantized activations and weights, or --quantize",
        costs="no calibration; T is guaranteed by the converter, most inputs settle far sooner",
        citation="the tracer follows SpikeZIP-TF (You et al. 2024); tables and proof are ours",
        emission="unary",
    )
)
