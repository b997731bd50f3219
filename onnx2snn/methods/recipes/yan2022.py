"""yan2022: value range, input channel expansion and averaged spike generation (Yan 2022).

Yan trains with clipped and quantized activations. For networks as they come, the value range of
each channel is the one of least squared error that begins at the activation's lower bound: of a
ReLU at zero (T_min = 0), of a signed or offset activation below or above it, and then the offset is
in the next layers' biases (eq. 6). A network trained with expansion brings its widened first layer;
any other one gets it. A constant input current (--encoding direct) is more accurate on those, and
multiplies in the first layer.
"""

from onnx2snn.methods.recipe import RECIPES, Recipe

RECIPES.register("yan2022")(
    Recipe(
        "yan2022",
        "value range, expanded input, and spikes evenly spread: no error but that of T levels",
        needs="calibration data; a dense first layer",
        costs="seconds; few steps, but each layer waits for the window of the one before",
        citation="Yan et al. 2022",
        stages={
            "threshold": "mmse",
            "granularity": "channel",
            "v_init": "half",
            "neuron": "asg",
            "encoding": "ice",
            "avgpool": "linear",
        },
    )
)
