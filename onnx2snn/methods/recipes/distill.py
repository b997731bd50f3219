"""distill: all layers together, on what the network answers in time.

Our own; the most accurate one for averaged and signed neurons, and for plain ones in windows up to
six steps. In longer ones gradients through time take too long, and those of means do not see what
plain neurons fired too early: there, ``regression``.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

STAGES = {
    "threshold": "mmse",
    "granularity": "channel",
    "v_init": "half",
    "bias": "none",
    "weights": "none",
    "tuning": "distill",
    "augment": "flip-crop",
    "avgpool": "linear",
}

RECIPES.register("distill")(
    Recipe(
        "distill",
        "all weights, thresholds and biases by gradients, towards the source's activations",
        needs="calibration data",
        costs="two minutes; few steps",
        stages=STAGES,
        neurons=("if", "signed-if", "asg"),
    )
)
