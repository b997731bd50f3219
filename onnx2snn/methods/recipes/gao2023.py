"""gao2023: calcium-gated neurons from a network with quantizers (Gao 2023).

The neurons that the paper compares with are there too: ``lif``, and ``ca-lif-unrounded`` without
the rounding phase.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("gao2023")(
    Recipe(
        "gao2023",
        "thresholds and leaks from the quantizers: spike counts near the quantized integers",
        needs="quantized activations and weights, or --quantize",
        costs="no calibration; T = 128 for int8, fewer steps lose accuracy fast",
        citation="Gao et al. 2023",
        stages={"neuron": "ca-lif", "encoding": "isi"},
        emission="calcium",
        neurons=("ca-lif", "ca-lif-unrounded", "lif"),
    )
)
