"""yan2022: value range and averaged spike generation (Yan 2022).

Yan trains with clipped and quantized activations; for networks as they come, the range of each
channel is the one of least squared error. Input channel expansion is a matter of encoding.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("yan2022")(
    Recipe(
        "yan2022",
        "averaged spike generation: spikes evenly spread, no error but that of T levels",
        needs="calibration data",
        costs="seconds; few steps, but each layer waits for the window of the one before",
        citation="Yan et al. 2022",
        stages={
            "threshold": "mmse",
            "granularity": "channel",
            "v_init": "half",
            "neuron": "asg",
            "avgpool": "linear",
        },
    )
)
