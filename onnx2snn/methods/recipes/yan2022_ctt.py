"""yan2022-ctt: channel-wise threshold training beside an averaged twin (Yan 2022, algorithm 2)."""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("yan2022-ctt")(
    Recipe(
        "yan2022-ctt",
        "plain neurons, channel thresholds moved until they fire as an averaged twin",
        needs="calibration data",
        costs="some ten seconds; eight steps and more",
        citation="Yan et al. 2022",
        stages={
            "threshold": "ctt",
            "granularity": "channel",
            "v_init": "half",
            "avgpool": "linear",
        },
    )
)
