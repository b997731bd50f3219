"""auto: what is best by measurement, given what there is.

With calibration data ``distill`` for averaged and signed neurons, and for plain ones in short
windows; in longer ones the winner of a contest on a part of the data, most often ``regression``.
Without data, thresholds from the model's quantizers, batch norm or bounds, or from synthetic
inputs.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe
from onnx2snn.methods.recipes.distill import STAGES as TUNED
from onnx2snn.methods.recipes.regression import STAGES

RECIPES.register("auto")(
    Recipe(
        "auto",
        "the best for what there is: measured on calibration data, else what the model tells",
        needs="nothing; calibration data help most",
        costs="seconds; with data one minute or two, and the file is for its T",
        stages_with_data=STAGES,
        stages_by_neuron={"asg": TUNED, "signed-if": TUNED},
        stages_in_short_windows=TUNED,
        contest=("regression", "mmse"),
    )
)
