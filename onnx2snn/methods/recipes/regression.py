"""regression: every layer fitted to the spikes that really arrive.

Our own combination; of all recipes the most accurate one for plain neurons in windows of more than
six steps, and in shorter ones the best that takes seconds.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

STAGES = {
    "threshold": "search",
    "granularity": "channel",
    "v_init": "calibrate",
    "bias": "calibrate",
    "weights": "calibrate-ls",
    "augment": "flip-crop",
    "avgpool": "linear",
}

#: Averaged neurons hear means only: spikes are never uneven, and a search has nothing to find.
OF_AVERAGED = {"threshold": "mmse", "v_init": "half", "weights": "calibrate-cv"}

RECIPES.register("regression")(
    Recipe(
        "regression",
        "weights by ridge regression, thresholds by search on real spikes, bias and potentials",
        needs="calibration data",
        costs="a minute or two; few steps",
        stages=STAGES,
        stages_by_neuron={"asg": OF_AVERAGED},
    )
)
